"""Whether a training had converged, read off its curve.

The mark is for networks whose accuracy says more about the recipe than about them. A training has
not converged if

- its training loss still falls, in its last fifth, by more than `STILL_FALLING / epochs` of log K,
  the loss of guessing, an epoch. The fall is that from the mean of the fifth's first half to the
  mean of its second, over the epochs between their middles, so that one lucky epoch decides
  nothing. At that pace as many epochs again would take more than `STILL_FALLING` of log K off; or
- its accuracy cannot be told from guessing: Wilson's interval holds 1 / K.

Trainings end with a learning rate of zero, which flattens every curve. So the fall is no share of
the loss there is: on digits Mixers of 78 % fell by 1.3 % of theirs an epoch, those of 97 % by 3 to
13 %. And it is no fixed share an epoch, since long schedules flatten later and fall less. `0.02`
is read off digits (14 Mixers, 12 epochs and 36; 2 ViTs, 12, 40 and 100): the five Mixers above it
gained 3.5 to 19 points by three times the epochs, the nine below it -1.4 to 2.1; the ViTs were
above it at 12 epochs (44 and 54 %, to gain 40 and 31 points) and 40 (84 and 85 %, to gain 6 and 8),
and below it at 100.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from runs.noise import Noise
from runs.record import EpochRecord, State, StudyRecord, TrialRecord

if TYPE_CHECKING:
    from runs.reader import Reader
    from runs.snapshot import Snapshot

STILL_FALLING = 0.02
"""Of log K, in as many epochs as the training had."""


class Unconverged(StrEnum):
    """Why a training had not converged, as a table has it."""

    LEARNING = "still learning"
    GUESSING = "guessing"

    @property
    def advice(self) -> str:
        """What to do."""
        if self is Unconverged.LEARNING:
            return "give more epochs, or another learning rate"
        return "give another learning rate, or more epochs"


def fall_per_epoch(losses: Sequence[float]) -> float | None:
    """How fast a training loss falls in its last fifth, in nats an epoch; None for one epoch."""
    if len(losses) < 2:
        return None
    last = losses[-max(2, math.ceil(len(losses) / 5)) :]
    half = len(last) // 2
    first, second = last[:half], last[-half:]
    return (math.fsum(first) - math.fsum(second)) / half / (len(last) - half)


def unconverged(
    study: StudyRecord,
    trials: Iterable[TrialRecord],
    losses: Mapping[int, Sequence[float]],
    noise: Noise,
) -> dict[int, Unconverged]:
    """Those of the trials that had not converged, by number; only complete ones are looked at.

    Args:
        study: of the trials.
        trials: trials, or the means that `runs.seeds.over_seeds` gives, which are judged by the
            curve of their first seed.
        losses: training losses by epoch, by the number of a trial.
        noise: of the study.
    """
    marks = {}
    guessing = math.log(study.num_classes)
    for trial in trials:
        if trial.state is not State.COMPLETE:
            continue
        interval = noise.of_training(trial.accuracy)
        curve = losses.get(trial.number, ())
        fall = fall_per_epoch(curve)
        if interval and interval.low <= study.guess_accuracy:
            marks[trial.number] = Unconverged.GUESSING
        elif fall is not None and fall * len(curve) > STILL_FALLING * guessing:
            marks[trial.number] = Unconverged.LEARNING
    return marks


def read_unconverged(store: Reader, snapshot: Snapshot) -> dict[int, Unconverged]:
    """Those of a study's front and of what was given, by number, whose training had not converged.

    Args:
        store: the database that the snapshot was read from.
        snapshot: of the study.
    """
    name, shown = snapshot.study.name, snapshot.shown
    curves = [store.epochs(name, trial.number) for trial in shown]
    losses = train_losses(epoch for curve in curves for epoch in curve)
    return unconverged(snapshot.study, shown, losses, snapshot.noise)


def train_losses(epochs: Iterable[EpochRecord]) -> dict[int, list[float]]:
    """The training losses of each trial, of epochs in order."""
    losses: dict[int, list[float]] = {}
    for epoch in epochs:
        losses.setdefault(epoch.trial, []).append(epoch.train_loss)
    return losses


def sentence(marks: Mapping[int, Unconverged]) -> str | None:
    """How many had not converged, and what to do; None where all had."""
    if not marks:
        return None
    number = len(marks)
    guessing = sum(mark is Unconverged.GUESSING for mark in marks.values())
    which = f"{number} of those shown had not converged"
    if guessing:
        which += f" ({guessing} no better than guessing)"
    mark = Unconverged.GUESSING if guessing == number else Unconverged.LEARNING
    return f"{which}: {mark.advice}"
