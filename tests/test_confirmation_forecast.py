"""`search.confirm --dry-run`: what would be trained, and nothing is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from json_keys import undocumented
from test_confirmed import SEARCHED, confirm, read_test
from test_confirmed import store as store

from runs.record import State
from search.confirm import main
from search.confirmation_forecast import forecast
from search.spec.confirmation import ConfirmationSettings
from space.errors import MixerSearchError


@pytest.fixture
def storage(store: object, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/t.db"


def test_a_new_confirmation_trains_every_candidate(storage: str, store: object) -> None:
    found = forecast("digits", ConfirmationSettings(seeds=3), storage)
    assert {1, 4} <= {number for number, _ in found.candidates}  # the best, and the baseline
    assert found.trainings == 3 * len(found.candidates)
    done = [t for t in SEARCHED if t.state is State.COMPLETE]  # all as long
    work = sum(SEARCHED[number].flops for number, _ in found.candidates) / sum(
        t.flops for t in done
    )
    each = SEARCHED[0].wall_seconds or 0.0
    assert found.seconds == pytest.approx(3 * len(done) * each * work)
    assert found.test_readings == 0


def test_one_that_is_begun_trains_what_is_missing(storage: str, store: object) -> None:
    confirm(store, seeds=2, planned=5)  # type: ignore[arg-type]
    found = forecast("digits", ConfirmationSettings(seeds=5), storage)
    assert found.trainings == 6 * 3


def test_a_budget_that_the_first_seeds_do_not_fit_is_refused_as_in_earnest(
    storage: str, store: object
) -> None:
    with pytest.raises(MixerSearchError, match="allow as many, or confirm fewer"):
        forecast("digits", ConfirmationSettings(seeds=3, max_training_flops=1.0), storage)


def test_after_test_was_read_another_has_to_be_asked_for(storage: str, store: object) -> None:
    read_test(store, confirm(store))  # type: ignore[arg-type]
    done = forecast("digits", ConfirmationSettings(seeds=3), storage)
    assert done.trainings == 0
    assert any("all is trained" in line for line in done.lines())
    again = forecast("digits", ConfirmationSettings(seeds=3, again=True), storage)
    assert again.trainings == 3 * len(again.candidates)
    assert again.test_readings == 1


def test_a_dry_run_writes_nothing(
    storage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (tmp_path / "t.db").read_bytes()
    argv = ["--study", "digits", "--storage", storage, "--dry-run"]
    assert main(argv) == 0
    out = capsys.readouterr().out
    assert "5 seeds each in the mean" in out
    assert "nothing was written; leave --dry-run out to begin" in out
    assert main([*argv, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["study"] == "digits"
    assert not undocumented(facts)
    assert (tmp_path / "t.db").read_bytes() == before
    with pytest.raises(MixerSearchError, match="scatter between seeds"):
        forecast("digits", ConfirmationSettings(seeds=1), storage)
