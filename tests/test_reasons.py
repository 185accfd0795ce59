"""The kinds of reasons for which trials did not complete."""

from __future__ import annotations

import pytest
from records import running, trial
from sample_study import HOSTILE

from runs.reasons import by_reason, reason_of
from runs.record import Failure, State


@pytest.mark.parametrize("failure", [*Failure, None])
def test_every_failure_has_words_and_none_is_a_strangers(failure: Failure | None) -> None:
    failed = running(3, state=State.FAILED, failure=failure, error=HOSTILE)
    assert reason_of(failed)
    assert "<" not in str(reason_of(failed))


def test_trials_that_completed_or_run_have_none() -> None:
    assert [reason_of(trial(0)), reason_of(running(1))] == [None, None]


def test_reasons_are_counted_whatever_numbers_their_words_have() -> None:
    refused = {"state": State.REFUSED}
    trials = [
        running(0, **refused, error="tried before"),
        running(1, **refused, error="over the budget: 12,000 FLOPs of at most 10,000"),
        running(2, **refused, error="tried before"),
        running(3, state=State.PRUNED, rung=2),
        running(4, **refused, error="over the budget: 99,000 FLOPs of at most 10,000"),
        running(5, **refused, error="tried before"),
        running(6, state=State.FAILED, failure=Failure.DIVERGED),
        trial(7),
    ]
    found = {reason: [t.number for t in of] for reason, of in by_reason(trials).items()}
    assert list(found.items()) == [
        ("Diverged: the loss was not finite", [6]),
        ("Stopped early after epoch 2", [3]),
        ("Refused: tried before", [5, 2, 0]),
        ("Refused: over the budget", [4, 1]),
    ]
