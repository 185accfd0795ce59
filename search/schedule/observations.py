"""What a model of the accuracy learns from trials: their ends, and parts of their curves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from optuna.trial import TrialState

from search.schedule.known_trials import CURVE, KnownTrials
from search.schedule.probit import probit

Floats = npt.NDArray[np.float64]

_MOST_TRIALS = 400
"""The newest, besides those of the front: the cost of a model grows with the cube of them."""

_MOST_CURVES = 40
"""Trainings to the end, the newest, that say what is gained after an epoch."""

_MOST_EPOCHS = 3
"""At which they are looked at: those at which most trials were stopped."""

_LEAST_TO_COME = 0.01
"""Of what is gained: where hardly anything is, a part is still no end."""


class _Observation(NamedTuple):
    row: int
    value: float
    to_come: float = 0.0


@dataclass(frozen=True, eq=False)
class Observations:
    """One a row; as `search.schedule.accuracy_model` has them."""

    rows: npt.NDArray[np.int64]
    """Of the trial among those known."""
    values: Floats
    """Probits of accuracies."""
    to_come: Floats
    """Of what is gained, the share still to come; 0 at the end."""


def observed(known: KnownTrials) -> Observations:
    """What the trials of a study say.

    One that was stopped, or runs, says what it had by then: side by side cheap trials end long
    before dear ones. One that failed is as bad as the worst. At least one trial must be complete.
    """
    ends = probit(known.accuracies)
    ends[[t.state is TrialState.FAIL for t in known.trials]] = np.nanmin(ends)
    curves = [t.user_attrs.get(CURVE, ()) for t in known.trials]
    return observations(ends, curves, known.front)


def observations(
    ends: Floats, curves: Sequence[Sequence[float]], kept: Sequence[int] = ()
) -> Observations:
    """What trainings say.

    Args:
        ends: probits of their last accuracies, oldest first; NaN where a training was stopped, or
            runs.
        curves: accuracies by epoch, as far as they are known.
        kept: rows that are learnt from however many are newer.
    """
    parts = [probit(np.asarray(curve, dtype=np.float64)) for curve in curves]
    has_ended = np.isfinite(ends)
    known = [row for row, part in enumerate(parts) if has_ended[row] or len(part)]
    chosen = sorted({*known[-_MOST_TRIALS:], *kept})
    whole = [row for row in known if has_ended[row] and len(parts[row])][-_MOST_CURVES:]
    to_come = _ToCome([parts[row] for row in whole])
    found = [_Observation(row, float(ends[row])) for row in chosen if has_ended[row]]
    lengths = Counter[int]()
    for row in chosen:
        if not has_ended[row]:
            epoch = len(parts[row])
            lengths[epoch] += 1
            found.append(_Observation(row, float(parts[row][-1]), to_come(epoch)))
    for epoch, _ in lengths.most_common(_MOST_EPOCHS):
        found += [
            _Observation(row, float(parts[row][epoch - 1]), to_come(epoch))
            for row in whole
            if len(parts[row]) > epoch
        ]
    rows, values, shares = zip(*sorted(found), strict=True)
    return Observations(np.array(rows), np.array(values), np.array(shares))


class _ToCome:
    """The share of what the curves gain after their first epoch that comes after another one."""

    def __init__(self, curves: Sequence[Floats]) -> None:
        self._curves = curves

    def __call__(self, epoch: int) -> float:
        longer = [curve for curve in self._curves if len(curve) > epoch]
        whole = sum(float(curve[-1] - curve[0]) for curve in longer)
        if whole <= 0:
            return 1.0  # how accuracies grow is not known
        rest = sum(float(curve[-1] - curve[epoch - 1]) for curve in longer)
        return float(np.clip(rest / whole, _LEAST_TO_COME, 1.0))
