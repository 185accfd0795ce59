"""Whether a trial's record and its learning curve can both be true. Arithmetic only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, replace
from datetime import timedelta

from runs.record import EpochRecord, State, TrialRecord
from space.cost import cost

Curve = Sequence[EpochRecord | None]
"""The rows of a trial's curve in the order of their epochs; None for one that cannot be read."""

_LOST = "the reason is lost"


def contradictions(trial: TrialRecord, curve: Curve, asked: int | None = None) -> list[str]:
    """What cannot be, in words; nothing of a trial as a search writes it.

    Args:
        trial: as it is recorded.
        curve: as it is recorded.
        asked: how many epochs the study trains its trials; None where it does not say.
    """
    found = []
    bill = cost(trial.config)
    if (trial.params, trial.macs) != (bill.params, bill.macs):
        found.append("its parameters or MACs are not those of its configuration")
    if asked is not None and trial.epochs != asked:
        found.append(f"it asks for {trial.epochs} epochs and its study for {asked}")
    trained = steady(curve, trial.epochs if asked is None else asked)
    if len(trained) < len(curve):
        found.append(f"of {len(curve)} epochs of its curve the first {len(trained)} are sound")
    if trial.state is State.REFUSED and curve:
        found.append("it was refused and has a curve")
    if trial.state in {State.COMPLETE, State.PRUNED}:
        wanted = trial.epochs if trial.state is State.COMPLETE else trial.rung
        if len(trained) != wanted:
            found.append(f"it is {trial.state.value} and has {len(trained)} of {wanted} epochs")
        if not _ends_in(trial, trained):
            found.append("its accuracy or loss is not that of its last epoch")
    elif (trial.accuracy, trial.loss) != (None, None):
        found.append(f"it is {trial.state.value} and has an accuracy or loss")
    if (trial.finished_at is None) != (trial.state is State.RUNNING):
        found.append(
            f"it is {trial.state.value} and has {'no' if not trial.finished_at else 'an'} end"
        )
    if trial.state is not State.FAILED and (trial.failure, trial.timeout_seconds) != (None, None):
        found.append(f"it is {trial.state.value} and has a cause of failure")
    if trial.error is None and trial.state in {State.FAILED, State.PRUNED, State.REFUSED}:
        found.append(f"it is {trial.state.value} for no reason")
    return found


def steady(curve: Curve, epochs: int) -> list[EpochRecord]:
    """The epochs from the first up to where one is missing, cannot be, or was not asked for."""
    found: list[EpochRecord] = []
    for epoch in curve[:epochs]:
        if epoch is None or epoch.epoch != len(found) + 1 or not _can_be(epoch):
            break
        found.append(epoch)
    return found


def reconciled(
    trial: TrialRecord, curve: Curve, asked: int | None = None, *, is_tried: bool = False
) -> tuple[TrialRecord, list[EpochRecord]]:
    """The trial and the part of its curve that can stay, without a contradiction.

    It is what its rows speak for: complete or stopped where the curve is whole and ends in the
    accuracy recorded; else failed or refused where that was recorded; else running, so that the
    search trains it again from its checkpoint or from the start.

    Args:
        trial: as it is recorded.
        curve: as it is recorded.
        asked: as for `contradictions`.
        is_tried: another trial is of the same configuration and seed: a refused one stays refused.
    """
    bill = cost(trial.config)
    epochs = trial.epochs if asked is None else asked
    trained = steady(curve, epochs)
    is_whole = len(trained) == len(curve) and _ends_in(trial, trained)
    trial = replace(trial, params=bill.params, macs=bill.macs, epochs=epochs)
    nothing = {"accuracy": None, "loss": None}
    if trial.state is State.REFUSED and (is_tried or not curve):
        return _ended(replace(trial, **nothing), []), []  # type: ignore[arg-type]
    if is_whole and len(trained) == epochs:
        return _ended(replace(trial, state=State.COMPLETE), trained), trained
    if is_whole and (trial.state is State.PRUNED or trial.rung == len(trained)):
        return _ended(replace(trial, state=State.PRUNED, rung=len(trained)), trained), trained
    if trial.state is State.FAILED:
        return _ended(replace(trial, **nothing), trained), trained  # type: ignore[arg-type]
    again = replace(
        trial,
        state=State.RUNNING,
        rung=trial.rung if trial.state is State.RUNNING else None,
        timing=None,
        wall_seconds=None,
        error=None,
        failure=None,
        timeout_seconds=None,
        finished_at=None,
        **nothing,  # type: ignore[arg-type]
    )
    return again, trained


def _ends_in(trial: TrialRecord, trained: Sequence[EpochRecord]) -> bool:
    """Whether the trial's result is that of the last epoch it trained."""
    if not trained:
        return False
    last = trained[-1]
    return (trial.accuracy, trial.loss) == (last.validation_accuracy, last.validation_loss)


def _can_be(epoch: EpochRecord) -> bool:
    accuracies = (epoch.train_accuracy, epoch.validation_accuracy)
    return all(map(math.isfinite, astuple(epoch))) and all(0 <= a <= 1 for a in accuracies)


def _ended(trial: TrialRecord, trained: Sequence[EpochRecord]) -> TrialRecord:
    """With an end, and a reason where its state has one."""
    if trial.finished_at is None:
        seconds = trained[-1].elapsed_seconds if trained else 0.0
        trial = replace(trial, finished_at=trial.started_at + timedelta(seconds=seconds))
    if trial.state is not State.FAILED:
        trial = replace(trial, failure=None, timeout_seconds=None)
    if trial.error is None and trial.state is not State.COMPLETE:
        trial = replace(trial, error=_LOST)
    return trial
