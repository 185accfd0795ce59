"""How far a study is, and when the rest will have ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from records import NOON, running, study, trial, vit

from runs.lease import Holder
from runs.pace import confirmation_pace, pace_of, seconds_left
from runs.record import ConfirmationRecord, Origin, State, TrialRecord
from runs.snapshot import Snapshot

SPEC = study().spec | {"asked": {"trials": 6, "baselines": True}, "baselines": 1}
HOLDER = replace(Holder.this_process(), since=NOON)


def ended(number: int, minutes: float, **changes: object) -> TrialRecord:
    """Took a minute, and ended so many after the process began."""
    end = NOON + timedelta(minutes=minutes)
    return replace(trial(number, **changes), started_at=end - timedelta(minutes=1), finished_at=end)


def test_what_has_ended_is_counted_by_configuration_and_the_time_left_by_its_pace() -> None:
    trials = [
        ended(0, -60),  # by another process
        ended(1, 1, origin=Origin.BASELINE, config=vit()),
        ended(2, 3),
        replace(ended(3, 5), state=State.FAILED),
        replace(ended(4, 5), state=State.REFUSED),
        running(5),
    ]
    pace = pace_of(Snapshot(study(spec=SPEC), trials, HOLDER))
    assert (pace.ended, pace.goal) == (3, 6)
    assert (pace.baselines_ended, pace.baselines) == (1, 1)
    assert pace.missing == 3
    assert pace.seconds_left == pytest.approx(3 * 300 / 3)
    assert pace.sentence == ("3 of 6 configurations and 1 of 1 baseline have ended; 5 min left")
    assert pace.share == pytest.approx(4 / 7)


def test_a_study_that_no_process_runs_has_no_time_left() -> None:
    pace = pace_of(Snapshot(study(spec=SPEC), [ended(2, 3)]))
    assert pace.seconds_left is None
    assert not pace.is_complete


def test_an_older_study_has_no_goal() -> None:
    pace = pace_of(Snapshot(study(), [ended(0, 3)], HOLDER))
    assert (pace.goal, pace.share, pace.is_complete) == (None, None, False)
    assert pace.sentence == "1 configuration has ended"


def test_seeds_that_train_are_not_a_configuration_that_ended() -> None:
    first = ended(2, 3)
    second = replace(first, number=3, seed=4, state=State.RUNNING, finished_at=None)
    assert pace_of(Snapshot(study(spec=SPEC), [first, second], HOLDER)).ended == 0


def test_a_confirmation_counts_its_own_trainings() -> None:
    plan = {"seeds": 3, "first_seed": 10, "candidates": [{"trial": 0}, {"trial": 1}]}
    record = ConfirmationRecord(number=1, began_at=NOON, plan=plan)
    fresh = [
        ended(i, i, origin=Origin.CONFIRMATION, seed=seed) for i, seed in enumerate((9, 10, 11))
    ]
    pace = confirmation_pace(record, Snapshot(study(), [trial(5), *fresh], HOLDER))
    assert (pace.ended, pace.goal) == (2, 6)
    assert pace.sentence.startswith("2 of 6 trainings have ended")


def test_nothing_is_left_where_nothing_is_missing() -> None:
    assert seconds_left(0, 4, 100.0) == 0
    assert seconds_left(-1, 4, 100.0) == 0
    assert seconds_left(5, 0, 100.0) is None
