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
"""Complete trials, the newest, that say what is gained after an epoch."""

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
    """What trials say. One that was stopped says what it had by then; one that failed is as bad as
    the worst. Those that run say nothing, nor do those stopped before they had an accuracy.

    At least one of the trials must be complete.
    """
    curves = [probit(np.array(t.user_attrs.get(CURVE) or [])) for t in known.trials]
    stopped = [
        row
        for row, trial in enumerate(known.trials)
        if trial.state is TrialState.PRUNED and len(curves[row])
    ]
    failed = [row for row, t in enumerate(known.trials) if t.state is TrialState.FAIL]
    complete = [int(row) for row in np.flatnonzero(known.is_complete)]
    chosen = sorted([*complete, *stopped, *failed])[-_MOST_TRIALS:]
    chosen = sorted({*chosen, *known.front})
    ends = probit(known.accuracies)
    worst = float(np.nanmin(ends))
    full = [row for row in complete if len(curves[row])][-_MOST_CURVES:]
    to_come = _ToCome([curves[row] for row in full])
    found = [
        _Observation(row, float(ends[row]) if known.is_complete[row] else worst)
        for row in chosen
        if row not in set(stopped)
    ]
    lengths = Counter[int]()
    for row in set(stopped) & set(chosen):
        epoch = len(curves[row])
        lengths[epoch] += 1
        found.append(_Observation(row, float(curves[row][-1]), to_come(epoch)))
    for epoch, _ in lengths.most_common(_MOST_EPOCHS):
        found += [
            _Observation(row, float(curves[row][epoch - 1]), to_come(epoch))
            for row in full
            if len(curves[row]) > epoch
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
