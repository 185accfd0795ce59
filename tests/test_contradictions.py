"""What a trial and its curve can be together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from records import epoch, running, trial

from runs.record import EpochRecord, Failure, State, TrialRecord
from runs.repair.contradictions import contradictions

EPOCHS = 4
CURVE = [epoch(number) for number in range(1, EPOCHS + 1)]


def ended_at(number: int, **changes: Any) -> TrialRecord:
    """A finished trial whose result is that of an epoch."""
    last = CURVE[number - 1]
    fields = {"epochs": EPOCHS, "accuracy": last.validation_accuracy, "loss": last.validation_loss}
    return trial(**fields | changes)


ENDED = trial().finished_at
SOUND: dict[str, tuple[TrialRecord, list[EpochRecord]]] = {
    "complete": (ended_at(4), CURVE),
    "spared": (ended_at(4, rung=2), CURVE),
    "pruned": (ended_at(2, state=State.PRUNED, rung=2), CURVE[:2]),
    "failed": (
        running(epochs=EPOCHS, state=State.FAILED, error="diverged", finished_at=ENDED),
        CURVE[:2],
    ),
    "took too long": (
        running(
            epochs=EPOCHS,
            state=State.FAILED,
            error="it took longer than 5 s (--trial-timeout)",
            failure=Failure.TIMEOUT,
            timeout_seconds=5.0,
            finished_at=ENDED,
        ),
        CURVE[:2],
    ),
    "failed at once": (
        running(epochs=EPOCHS, state=State.FAILED, error="no room", finished_at=ENDED),
        [],
    ),
    "refused": (running(epochs=EPOCHS, state=State.REFUSED, error="dear", finished_at=ENDED), []),
    "running": (running(epochs=EPOCHS), CURVE[:3]),
    "running to the end": (running(epochs=EPOCHS, rung=2), CURVE),
    "not begun": (running(epochs=EPOCHS), []),
}


@pytest.mark.parametrize("kind", SOUND)
def test_a_trial_as_it_is_written_contradicts_nothing(kind: str) -> None:
    for asked in (None, EPOCHS):
        assert contradictions(*SOUND[kind], asked) == []


def test_every_contradiction_is_named() -> None:
    record, curve = SOUND["complete"]
    for changes, words in (
        ({"macs": 7}, "its parameters or MACs are not those of its configuration"),
        ({"epochs": 5}, "it asks for 5 epochs and its study for 4"),
        ({"state": State.REFUSED}, "it was refused and has a curve"),
        ({"state": State.PRUNED}, "it is pruned and has 4 of None epochs"),
        ({"accuracy": 0.5}, "its accuracy or loss is not that of its last epoch"),
    ):
        assert words in contradictions(replace(record, **changes), curve, EPOCHS)
    assert contradictions(record, [*curve[:1], *curve[2:]]) == [
        "of 3 epochs of its curve the first 1 are sound",
        "it is complete and has 1 of 4 epochs",
        "its accuracy or loss is not that of its last epoch",
    ]
