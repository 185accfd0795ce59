"""A renamed study keeps all that is its own; a process that is killed leaves it whole."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from json_keys import undocumented
from postgres import new_database
from processes import start
from records import NOON, epoch, running, study, trial

from runs.__main__ import main
from runs.checkpoints import checkpoint_name, checkpoint_prefix
from runs.garbage import find_garbage
from runs.reader import UnknownStudyError, open_reader
from runs.record import ConfirmationRecord, KeptResults, Note, StudyRecord, WeightsRecord
from runs.record import TestReading as ReadingOfTest
from runs.spool import spool_path, write_spool
from runs.writer import open_writer

RATES = ["digits.rate-0.001", "digits.rate-0.002"]
PARENT = study("digits", spec=study().spec | {"rate_studies": RATES})
KEPT = KeptResults(
    weights=(WeightsRecord(trial=1, digest="a" * 64, size_bytes=7),),
    confirmations=(ConfirmationRecord(number=0, began_at=NOON, plan={"seeds": 3}),),
    readings=(
        ReadingOfTest(
            test_digest="c" * 64, study="digits", trial=1, read_at=NOON, purpose="p", command="c"
        ),
    ),
    notes=(Note(text="odd", written_at=NOON, trial=1),),
)


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, here: Path) -> str:
    """A study with all there can be of it, its two studies of rates, and another study."""
    url = new_database() if request.param == "postgresql" else f"sqlite:///{here}/results.db"
    fill(url)
    return url


def fill(url: str) -> None:
    with open_writer(url) as store:
        trials, epochs = [running(0), trial(1)], [epoch(1, trial=1)]
        store.restore_trials(PARENT, trials, epochs, KEPT)
        for i, name in enumerate(RATES):
            child = study(name, created_at=PARENT.created_at + timedelta(seconds=1 + i))
            store.add_study(replace(child, spec=child.spec | {"rate_of": "digits"}))
            store.add_trial(name, trial(0))
        store.add_study(study("other", created_at=NOON))


def found(storage: str, name: str) -> tuple[StudyRecord, object]:
    with open_reader(storage) as store:
        everything = store.trials(name), store.epochs(name), store.kept_results(name)
        return store.study(name), everything


def rename(storage: str, old: str, new: str) -> int:
    return main(["rename", old, new, "--storage", storage])


def test_all_that_names_a_study_names_it_anew(storage: str) -> None:
    before, everything = found(storage, "digits")
    assert rename(storage, "digits", "mnist") == 0
    after, now = found(storage, "mnist")
    reading = replace(KEPT.readings[0], study="mnist")
    assert now == (*everything[:2], replace(KEPT, readings=(reading,)))  # type: ignore[index]
    assert after.spec["rate_studies"] == ["mnist.rate-0.001", "mnist.rate-0.002"]
    assert after.created_at == before.created_at
    with open_reader(storage) as store:
        rates = {one.name: one.rates_of for one in store.studies()}
        assert rates == {
            "mnist": None,
            "mnist.rate-0.001": "mnist",
            "mnist.rate-0.002": "mnist",
            "other": None,
        }
        assert store.holder("digits") is None
        assert store.holder("mnist") is None
        with pytest.raises(UnknownStudyError):
            store.study("digits")
    assert rename(storage, "mnist", "digits") == 0
    assert found(storage, "digits") == (before, everything)


def test_checkpoints_and_weights_are_still_its_own(here: Path) -> None:
    url = f"sqlite:///{here}/results.db"
    fill(url)
    folder = here / "results.db.checkpoints"
    folder.mkdir()
    runs, ended = (folder / checkpoint_name(PARENT, number) for number in (0, 1))
    for file in (runs, ended):
        file.touch()
    assert rename(url, "digits", "a") == rename(url, "a", "b") == 0
    renamed = found(url, "b")[0]
    assert checkpoint_name(renamed, 0) == runs.name
    garbage = find_garbage(url).garbage
    assert [item.reason for item in garbage if item.path == ended] == [
        "trial 1 of study 'b' has ended"
    ]
    assert runs not in [item.path for item in garbage]
    again = study("digits", created_at=NOON)
    assert checkpoint_prefix(again) != checkpoint_prefix(renamed)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("digits", "other", "there is a study of that name"),
        ("digits", "digits", "is called that already"),
        ("digits", "a/b", "no slash"),
        ("digits", "x" * 195, "at most 200 characters"),  # of its studies of rates
        ("digist", "x", "study 'digist' is not in"),
        ("digits.rate-0.001", "x", "belongs to it; rename that one"),
    ],
)
def test_what_cannot_be_renamed_gets_a_sentence(
    here: Path, old: str, new: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{here}/results.db"
    fill(url)
    before = found(url, "digits")
    assert rename(url, old, new) == 2
    assert says in capsys.readouterr().err
    assert found(url, "digits") == before


@pytest.mark.parametrize("held", ["digits", "digits.rate-0.002", "mnist"])
def test_a_study_that_is_being_run_keeps_its_name(
    storage: str, held: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nobody takes the new one meanwhile."""
    with open_writer(storage) as other, other.hold(held):
        assert rename(storage, "digits", "mnist") == 2
    assert "is being run by process" in capsys.readouterr().err
    assert found(storage, "digits")[0] == PARENT


def test_a_study_whose_results_wait_in_a_spool_keeps_its_name(
    storage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_spool(spool_path(storage, "digits"), PARENT, [running(0)], [])
    assert rename(storage, "digits", "mnist") == 2
    assert "--repair" in capsys.readouterr().err


def test_killed_half_way_it_is_called_what_it_was(storage: str) -> None:
    code = """
import os, signal, sys
import runs.rename
from runs.__main__ import main
rename = runs.rename._rename
def and_killed(session, *rest):
    rename(session, *rest)
    session.flush()
    os.kill(os.getpid(), signal.SIGKILL)
runs.rename._rename = and_killed
main(["rename", "digits", "mnist", "--storage", sys.argv[1]])
"""
    before = found(storage, "digits")
    process = start(code, storage)
    assert process.wait(60) == -9
    process.communicate()
    assert found(storage, "digits") == before
    assert rename(storage, "digits", "mnist") == 0
    assert found(storage, "mnist")[0].first_name == "digits"


def test_json_has_the_new_names(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{here}/results.db"
    fill(url)
    assert main(["rename", "digits", "mnist", "--storage", url, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["renamed"][0] == {"from": "digits", "to": "mnist"}
    assert len(facts["renamed"]) == 3
    assert not undocumented(facts)
