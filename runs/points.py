"""Trials as columns of numbers, against a cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from runs import pareto
from runs.record import TrialRecord
from space.costs import Cost, all_costs

Floats = npt.NDArray[np.float64]


def axes_of(own: Cost, trials: Sequence[TrialRecord]) -> dict[str, Cost]:
    """What accuracy can be weighed against, by name, what the study minimises first.

    A cost that is measured is among them where it is known of any of the trials.
    """
    known = [one for one in all_costs() if one.of or any(t.cost(one) for t in trials)]
    return {cost.name: cost for cost in (own, *known)}


@dataclass(frozen=True)
class Points:
    """Finished trials, or stopped ones; one entry a configuration in every column."""

    axis: Cost
    trials: Sequence[TrialRecord]
    x: Floats
    """What the trials cost."""
    seeds: Sequence[Sequence[float]]
    """The accuracies whose mean is the trial's: of the seeds, or its own alone."""
    min_accuracy: float = 0.0
    """Less accurate trials are drawn, and neither on the front nor the best of anything."""

    @cached_property
    def accuracy(self) -> Floats:
        return np.array([t.accuracy for t in self.trials], dtype=np.float64)

    @cached_property
    def front(self) -> list[int]:
        """Indices of the trials nobody dominates on this axis, cheapest (or fastest) first."""
        on_front = pareto.front(self._cost, self.accuracy)
        return [i for i in on_front if self.accuracy[i] >= self.min_accuracy]

    def best_within(self, limit: float) -> int | None:
        """Index of the most accurate trial of at most `limit` (at least, where more is better)."""
        costs = self._cost[self.front]
        most = 1 / limit if self.axis.direction == "maximize" else limit
        affordable = np.flatnonzero(costs <= most)
        if not len(affordable):
            return None
        return self.front[int(np.flatnonzero(costs == costs[affordable[-1]])[0])]

    @cached_property
    def _cost(self) -> Floats:
        return 1 / self.x if self.axis.direction == "maximize" else self.x


def points_of(
    trials: Sequence[TrialRecord],
    axis: Cost,
    seeds: Mapping[int, Sequence[float]] | None = None,
    min_accuracy: float = 0.0,
) -> Points:
    """Those of the trials that have an accuracy and a value on the axis.

    Args:
        trials: finished ones; or stopped ones, which have an accuracy too and are never to be
            mixed with them.
        axis: what they are weighed against.
        seeds: the accuracies of trials that stand for several seeds, by the trial's number.
        min_accuracy: less accurate ones are on no front.
    """
    known = [
        (trial, x, (seeds or {}).get(trial.number, [trial.accuracy]))
        for trial in trials
        if trial.accuracy is not None and (x := trial.cost(axis))
    ]
    return Points(
        axis=axis,
        trials=[trial for trial, _, _ in known],
        x=np.array([x for _, x, _ in known], np.float64),
        seeds=[accuracies for _, _, accuracies in known],
        min_accuracy=min_accuracy,
    )


def limits_between(low: float, high: float) -> list[float]:
    """Two or more round numbers, ten a decade (1, 1.25, 1.6, 2, ...), that enclose both ends."""
    steps = (1.0, 1.25, 1.6, 2.0, 2.5, 3.2, 4.0, 5.0, 6.3, 8.0)
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    values = [step * 10.0**decade for decade in decades for step in steps]
    first = max(i for i, value in enumerate(values) if value <= low)
    last = min(i for i, value in enumerate(values) if value >= high)
    return values[first : max(last, first + 1) + 1]
