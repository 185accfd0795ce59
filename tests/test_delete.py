"""A deleted study takes what is its own with it, and nothing else; readings stay counted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from json_keys import undocumented
from postgres import new_database
from processes import start
from records import NOON, study, trial
from test_rename import KEPT, PARENT, fill

from runs.__main__ import main
from runs.checkpoints import checkpoint_name
from runs.reader import open_reader
from runs.record import WeightsRecord
from runs.repair.integrity import damaged_rows
from runs.repair.weights import orphans
from runs.storage import beside, parse_storage
from runs.weights_folder import weights_folder
from runs.writer import open_writer


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, here: Path) -> str:
    """A study with all there can be of it; another one shares a file of weights with it."""
    url = new_database() if request.param == "postgresql" else f"sqlite:///{here}/results.db"
    fill(url)
    folder = weights_folder(url)
    with open_writer(url) as store:
        mine, shared = folder.write(1, b"mine"), folder.write(1, b"shared")
        store.end_trials("digits", [], weights=[mine])
        two = store.add_trial("digits", trial(2))
        store.end_trials("digits", [], weights=[replace(shared, trial=two.number)])
        store.add_trial("other", trial(0))
        store.end_trials("other", [], weights=[replace(shared, trial=0)])
    checkpoints = beside(url, "checkpoints")
    checkpoints.mkdir(parents=True)
    for record in (PARENT, study("other", created_at=NOON)):
        (checkpoints / checkpoint_name(record, 0)).touch()
    return url


def delete(storage: str, *more: str) -> int:
    return main(["delete", "digits", "--storage", storage, *more])


def names(storage: str) -> list[str]:
    with open_reader(storage) as store:
        return [one.name for one in store.studies()]


def test_a_study_goes_with_its_files_and_another_keeps_its_own(
    storage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert delete(storage, "--yes") == 0
    said = capsys.readouterr().out
    assert "goes: 5 trials, 1 epoch, 1 confirmation, 1 note, 1 file of weights" in said
    assert ", 1 checkpoint; " in said
    assert "with digits.rate-0.001, which found its learning rates" in said
    assert names(storage) == ["other"]
    with open_reader(storage) as store:
        (kept,) = store.weights("other").values()
        assert [file.stem for file in weights_folder(storage).files()] == [kept.digest]
        (reading,) = store.test_readings("c" * 64)
    expected = replace(KEPT.readings[0], study=None, trial=None)
    assert replace(reading, purpose="p") == expected
    assert reading.purpose == "p of study 'digits', since deleted"
    left = [file.name for file in beside(storage, "checkpoints").iterdir()]
    assert left == [checkpoint_name(study("other", created_at=NOON), 0)]
    assert damaged_rows(parse_storage(storage)) == []


@pytest.mark.parametrize("storage", ["sqlite"], indirect=True)
@pytest.mark.parametrize("answer", ["", "n", None])
def test_it_asks_and_takes_only_a_yes(
    storage: str, answer: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(question: str) -> str:
        assert "delete study digits" in question
        if answer is None:
            raise EOFError
        return answer

    monkeypatch.setattr("builtins.input", asked)
    assert delete(storage) == 0
    assert "digits" in names(storage)
    monkeypatch.setattr("builtins.input", lambda question: "y")
    assert delete(storage) == 0
    assert "digits" not in names(storage)


@pytest.mark.parametrize("held", ["digits", "digits.rate-0.002"])
def test_a_study_that_is_being_run_stays(
    storage: str, held: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_writer(storage) as other, other.hold(held):
        assert delete(storage, "--yes") == 2
    assert f"study '{held}' is being run by process" in capsys.readouterr().err
    assert "digits" in names(storage)


@pytest.mark.parametrize("step", ["runs.delete._delete_rows", "runs.delete.WeightsFolder.remove"])
def test_killed_between_two_steps_it_is_all_there_or_its_files_are_garbage(
    storage: str, step: str
) -> None:
    code = f"""
import os, signal, sys
import runs.delete
from runs.__main__ import main
original = {step}
def killed(*arguments):
    if "_delete_rows" in {step!r}:
        original(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
{step} = killed
main(["delete", "digits", "--yes", "--storage", sys.argv[1]])
"""
    process = start(code, storage)
    assert process.wait(60) == -9
    process.communicate()
    if "remove" in step:
        assert "digits" not in names(storage)
        with open_reader(storage) as store:
            (left,) = orphans(store, weights_folder(storage))
        assert left.startswith("no trial of this database has 1 file of weights")
    else:
        assert "digits" in names(storage)
        assert delete(storage, "--yes") == 0
    assert damaged_rows(parse_storage(storage)) == []
    assert names(storage) == ["other"]


@pytest.mark.parametrize("storage", ["sqlite"], indirect=True)
def test_json_deletes_only_with_yes(storage: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert delete(storage, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["deleted"], facts["trials"], facts["test_readings"]) == (False, 5, 1)
    assert not undocumented(facts)
    assert delete(storage, "--json", "--yes") == 0
    assert json.loads(capsys.readouterr().out) == facts | {"deleted": True}
    assert names(storage) == ["other"]


def test_weights_that_a_row_names_and_no_folder_has_do_not_hinder(here: Path) -> None:
    url = f"sqlite:///{here}/results.db"
    fill(url)
    with open_writer(url) as store:
        record = WeightsRecord(trial=1, digest="f" * 64, size_bytes=1)
        store.end_trials("digits", [], weights=[record])
    assert delete(url, "--yes") == 0
