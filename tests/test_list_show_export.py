"""`python -m runs list`, `show` and `export`: what they print is what the database holds."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from json_keys import undocumented
from records import NOON
from sample_study import HOSTILE, write_study

import runs
from runs.__main__ import main
from runs.reader import open_reader
from runs.record import Note
from runs.snapshot import read_snapshot
from runs.writer import open_writer


@pytest.fixture
def storage(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/s.db"
    write_study(url, "earlier", trials=0)
    write_study(url, trials=40)
    return url


def printed(capsys: pytest.CaptureFixture[str], storage: str, *argv: str) -> str:
    assert main([*argv, "--storage", storage]) == 0
    return capsys.readouterr().out


def test_list_has_every_study_the_newest_first(
    storage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = printed(capsys, storage, "list")
    assert out.index("sample\n") < out.index("earlier\n")
    assert "40 trials: " in out
    assert out.endswith(f"2 studies in {storage.removeprefix('sqlite:///')}\n")
    facts = json.loads(printed(capsys, storage, "list", "--json"))
    assert [one["trials"] for one in facts["studies"]] == [40, 0]
    assert sum(facts["studies"][0]["states"].values()) == 40
    assert not undocumented(facts) - {"complete", "running", "pruned", "failed", "refused"}


def test_list_leaves_studies_of_rates_to_those_who_ask(
    storage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_writer(storage) as store:
        child = store.study("earlier")
        store.put_study(
            type(child)(**{**vars(child), "name": "sample.rate-1", "spec": {"rate_of": "sample"}})
        )
    assert "sample.rate-1" not in printed(capsys, storage, "list")
    assert "sample.rate-1" in printed(capsys, storage, "list", "--rates")
    assert "rates by  sample.rate-1" in printed(capsys, storage, "show", "sample")


def test_show_says_what_was_asked_and_found(
    storage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_writer(storage) as store:
        store.add_note("sample", Note(text=HOSTILE, written_at=NOON))
    with open_reader(storage) as store:
        front = read_snapshot(store, "sample").front
    out = printed(capsys, storage, "show", "sample")
    assert [line.split()[0] for line in out.splitlines() if "±" in line] == [
        str(trial.number) for trial in front
    ]
    assert "1 note" in out
    assert "1 interrupted" in out
    facts = json.loads(printed(capsys, storage, "show", "sample", "--json"))
    assert [one["trial"] for one in facts["front"]] == [trial.number for trial in front]
    assert facts["notes"] == [HOSTILE]
    assert not undocumented(facts) - {"complete", "running", "pruned", "failed", "refused"}


def test_a_study_without_a_trial_looks_meant(
    storage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "  trials    0\n" in printed(capsys, storage, "show", "earlier")


@pytest.mark.parametrize("suffix", ["csv", "parquet", "json"])
@pytest.mark.parametrize("what", ["trials", "curves", "front"])
def test_an_exported_table_read_again_is_the_frame(
    storage: str, tmp_path: Path, suffix: str, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / f"out.{suffix}"
    argv = ("export", "sample", "--what", what, "--out", str(out), "--json")
    facts = json.loads(printed(capsys, storage, *argv))
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet, "json": pd.read_json}[suffix](out)
    assert facts == {"study": "sample", "what": what, "file": str(out), "rows": len(read)}
    assert not undocumented(facts)
    frame = runs.frame("sample", storage)
    if what == "curves":
        frame = runs.curves("sample", storage)
    if what == "front":
        with open_reader(storage) as store:
            front = read_snapshot(store, "sample").front
        assert read["number"].tolist() == [trial.number for trial in front]
        assert read["accuracy"].tolist() == pytest.approx([t.accuracy for t in front])
        assert (read["accuracy_low"] < read["accuracy"]).all()
        assert (read["accuracy"] < read["accuracy_high"]).all()
        return
    assert list(read.columns) == list(frame.columns)
    for name in frame.select_dtypes("number").columns:
        assert read[name].tolist() == pytest.approx(frame[name].tolist(), nan_ok=True)


def test_an_export_that_cannot_be_written_leaves_what_was_there(
    storage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.csv"
    out.write_text("before")
    argv = ["export", "sample", "--out", str(out / "x.csv"), "--storage", storage]
    assert main(argv) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert out.read_text() == "before"
    assert main(["export", "none", "--out", str(out), "--storage", storage]) == 2
    assert out.read_text() == "before"


def test_show_takes_its_study_by_an_option_too(
    capsys: pytest.CaptureFixture[str], storage: str
) -> None:
    asked = printed(capsys, storage, "show", "--study", "sample")
    assert asked == printed(capsys, storage, "show", "sample")
    assert main(["show", "sample", "--study", "other", "--storage", storage]) == 2
    assert "studies 'sample' and 'other' are named; name one of them" in capsys.readouterr().err
    assert main(["show", "--storage", storage]) == 2
    assert "no study is named" in capsys.readouterr().err
