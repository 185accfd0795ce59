"""`python -m runs`: the files hold what the frames hold."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from json_keys import undocumented
from records import epoch, study, trial

import runs
from runs.__main__ import main
from runs.writer import open_writer


@pytest.fixture
def storage(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/s.db"
    with open_writer(url) as store:
        store.add_study(study("digits"))
        for number in range(3):
            store.add_trial("digits", trial(number))
            store.add_epoch("digits", epoch(1, number))
    return url


@pytest.mark.parametrize("suffix", ["csv", "parquet", "CSV", "Parquet"])
@pytest.mark.parametrize("curves", [False, True])
def test_a_file_read_again_is_the_frame(
    storage: str, tmp_path: Path, suffix: str, curves: bool
) -> None:
    out = tmp_path / f"out.{suffix}"
    argv = ["--study", "digits", "--storage", storage, "--out", str(out)]
    assert main([*argv, "--curves"] if curves else argv) == 0
    expected = runs.curves("digits", storage) if curves else runs.frame("digits", storage)
    read = pd.read_csv(out) if suffix.lower() == "csv" else pd.read_parquet(out)
    assert list(read.columns) == list(expected.columns)
    numbers = expected.select_dtypes("number").columns
    pd.testing.assert_frame_equal(read[numbers], expected[numbers], check_dtype=False)


def test_a_folder_that_is_missing_is_made(
    storage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "no" / "such" / "a.csv"
    assert main(["--study", "digits", "--storage", storage, "--out", str(out), "--curves"]) == 0
    assert capsys.readouterr().out == f"3 rows in {out}\n"
    assert len(out.read_text().splitlines()) == 4


def test_other_kinds_of_file_and_unwritable_ones_are_refused(
    storage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    for out, says in (("a.xlsx", ".csv, .parquet and .json"), ("file/a.csv", "cannot be written")):
        argv = ["--study", "digits", "--storage", storage, "--out", str(tmp_path / out)]
        assert main(argv) == 2
        assert says in capsys.readouterr().err


def test_json_says_what_was_written(
    storage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out.csv")
    assert main(["--study", "digits", "--storage", storage, "--out", out, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts == {"study": "digits", "file": out, "rows": 3, "curves": False}
    assert not undocumented(facts)
