"""What a trial and its curve can be together, and what becomes of those that cannot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import epoch, running, trial

from runs.mending.contradictions import contradictions, reconciled, steady
from runs.record import EpochRecord, Failure, State, TrialRecord

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

DAMAGES: dict[str, dict[str, Any]] = {
    "state": {"state": list(State)},
    "accuracy": {"accuracy": [None, 0.0, 0.5, 7.0]},
    "loss": {"loss": [None, 0.25, float("inf")]},
    "epochs": {"epochs": [1, 3, 5]},
    "rung": {"rung": [None, 1, 3, 9]},
    "bill": {"params": [1, 7], "macs": [1, 7]},
    "end": {"finished_at": [None, ENDED]},
    "reason": {"error": [None, "for some reason"]},
    "cause": {"failure": [None, *Failure], "timeout_seconds": [None, 5.0]},
}


@pytest.mark.parametrize("kind", SOUND)
def test_a_trial_as_it_is_written_contradicts_nothing_and_stays_as_it_is(kind: str) -> None:
    for asked in (None, EPOCHS):
        assert contradictions(*SOUND[kind], asked) == []
        assert reconciled(*SOUND[kind], asked) == SOUND[kind]


@given(st.data())
def test_whatever_is_changed_what_is_made_of_it_contradicts_nothing(data: st.DataObject) -> None:
    record, curve = SOUND[data.draw(st.sampled_from(sorted(SOUND)))]
    for damage in data.draw(st.sets(st.sampled_from(sorted(DAMAGES)))):
        for field, values in DAMAGES[damage].items():
            record = replace(record, **{field: data.draw(st.sampled_from(values))})
    rows: list[EpochRecord | None] = list(curve)
    for place in sorted(data.draw(st.sets(st.integers(0, 5))), reverse=True):
        if place < len(rows):
            change = data.draw(st.sampled_from(["gone", "unreadable", "impossible"]))
            wrong = epoch(place + 1, validation_accuracy=1.5)
            rows[place : place + 1] = {"gone": [], "unreadable": [None]}.get(change, [wrong])
    asked = data.draw(st.sampled_from([None, EPOCHS]))
    is_tried = data.draw(st.booleans())
    made, kept = reconciled(record, rows, asked, is_tried=is_tried)
    assert contradictions(made, kept, asked) == []
    assert kept == rows[: len(kept)]
    if not contradictions(record, rows, asked):
        assert (made, kept) == (record, rows)
    if is_tried and record.state is State.REFUSED:
        assert made.state is State.REFUSED


@pytest.mark.parametrize("kind", ["complete", "spared", "pruned"])
@pytest.mark.parametrize("state", [s for s in State if s is not State.REFUSED])
def test_a_result_with_a_whole_curve_survives_a_wrong_state(kind: str, state: State) -> None:
    record, curve = SOUND[kind]
    assert reconciled(replace(record, state=state), curve) == (record, curve)


@pytest.mark.parametrize("kind", ["complete", "pruned"])
@pytest.mark.parametrize("missing", [0, 1, -1])
def test_a_result_whose_curve_has_a_gap_is_trained_again(kind: str, missing: int) -> None:
    record, curve = SOUND[kind]
    rows = [row for row in curve if row is not curve[missing]]
    made, kept = reconciled(record, rows)
    assert made.state is State.RUNNING
    assert made.accuracy is made.finished_at is made.timing is made.error is made.rung is None
    assert kept == steady(rows, EPOCHS) == curve[: missing % len(curve)]


def test_a_failed_trial_stays_failed_with_the_start_of_its_curve() -> None:
    record, curve = SOUND["failed"]
    assert reconciled(record, curve[1:]) == (record, [])
    assert reconciled(replace(record, accuracy=0.5), curve) == (record, curve)


def test_a_refused_trial_with_a_curve_is_trained_again_unless_it_is_tried_elsewhere() -> None:
    record, _ = SOUND["refused"]
    assert reconciled(record, CURVE[:2])[0].state is State.RUNNING
    assert reconciled(record, CURVE[:2], is_tried=True) == (record, [])


def test_the_study_says_how_many_epochs_and_the_configuration_what_it_costs() -> None:
    record, curve = SOUND["complete"]
    assert reconciled(replace(record, epochs=9, macs=7, params=7), curve, EPOCHS) == (record, curve)


def test_every_contradiction_is_named() -> None:
    record, curve = SOUND["complete"]
    for changes, words in (
        ({"macs": 7}, "its parameters or MACs are not those of its configuration"),
        ({"epochs": 5}, "it asks for 5 epochs and its study for 4"),
        ({"state": State.REFUSED}, "it was refused and has a curve"),
        ({"state": State.PRUNED}, "it is pruned and has 4 of None epochs"),
        ({"accuracy": 0.5}, "its accuracy or loss is not that of its last epoch"),
        ({"state": State.FAILED}, "it is failed and has an accuracy or loss"),
        ({"state": State.RUNNING}, "it is running and has an end"),
        ({"finished_at": None}, "it is complete and has no end"),
        ({"state": State.FAILED, "error": None}, "it is failed for no reason"),
    ):
        assert words in contradictions(replace(record, **changes), curve, EPOCHS)
    assert contradictions(record, [*curve[:1], *curve[2:]]) == [
        "of 3 epochs of its curve the first 1 are sound",
        "it is complete and has 1 of 4 epochs",
        "its accuracy or loss is not that of its last epoch",
    ]
