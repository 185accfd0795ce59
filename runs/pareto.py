"""Accuracy against cost: front, hypervolume, knee, best under a budget. Pure functions.

Everywhere `cost` (positive, minimised: FLOPs, or another that a study names) and `accuracy` (in
[0, 1], maximised) are sequences of one length, one entry a trial; answers are indices into them. A
trial dominates another if it is at least as good in both objectives and better in one. Trials equal
in both do not dominate each other, so both stay on the front.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = Sequence[float] | npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The point hypervolume is measured to, fixed for a study so that figures compare over time."""

    accuracy: float
    """Accuracy of guessing."""
    cost: float
    """The most expensive configuration the study may try."""


def front(cost: Numbers, accuracy: Numbers) -> list[int]:
    """Indices of the trials no other dominates, cheapest first; equal trials in the order given."""
    costs, gain = _checked(cost, accuracy)
    if not len(costs):
        return []
    order = np.lexsort((np.arange(len(costs)), -gain, costs))
    sorted_costs, sorted_gain = costs[order], gain[order]
    before = np.append(-np.inf, np.maximum.accumulate(sorted_gain)[:-1])
    is_new = sorted_gain > before
    last = np.maximum.accumulate(np.where(is_new, np.arange(len(order)), 0))  # on the front so far
    is_equal = (sorted_costs == sorted_costs[last]) & (sorted_gain == sorted_gain[last])
    return [int(i) for i in order[is_new | is_equal]]


def hypervolume(cost: Numbers, accuracy: Numbers, reference: Reference) -> float:
    """Area between the front and the reference point, in accuracy x decades of the cost.

    The x-axis is the cost's log10: a point with accuracy a at cost c dominates the rectangle
    (a - reference.accuracy) x log10(reference.cost / c). Trials beyond the reference in either
    objective add nothing.
    """
    costs, gain = _checked(cost, accuracy)
    inside = (costs < reference.cost) & (gain > reference.accuracy)
    costs, gain = costs[inside], gain[inside]
    indices = front(costs, gain)
    if not indices:
        return 0.0
    right = [*(math.log10(costs[i]) for i in indices[1:]), math.log10(reference.cost)]
    return sum(
        (float(gain[i]) - reference.accuracy) * (end - math.log10(costs[i]))
        for i, end in zip(indices, right, strict=True)
    )


def hypervolume_history(cost: Numbers, accuracy: Numbers, reference: Reference) -> list[float]:
    """Hypervolume after the first, the first two, ... of the trials in the order given."""
    costs, gain = _checked(cost, accuracy)
    history: list[float] = []
    kept: list[int] = []
    for i in range(len(costs)):
        if np.any((costs[kept] <= costs[i]) & (gain[kept] >= gain[i])):  # nothing new: most trials
            history.append(history[-1])
            continue
        tried = [*kept, i]
        kept = [tried[j] for j in front(costs[tried], gain[tried])]
        history.append(hypervolume(costs[kept], gain[kept], reference))
    return history


def knee(cost: Numbers, accuracy: Numbers) -> int | None:
    """The front's trial farthest from the line between its ends, accuracy against log cost.

    Both axes are scaled to the front's own extent, so the answer does not depend on units. A
    front of one or two trials has its best trial as knee; no trials, none.
    """
    indices = front(cost, accuracy)
    if not indices:
        return None
    costs, gain = _checked(cost, accuracy)
    x, y = np.log10(costs[indices]), gain[indices]
    if x[-1] == x[0]:
        return best_under(cost, accuracy, math.inf)
    height = (y - y[0]) / (y[-1] - y[0]) - (x - x[0]) / (x[-1] - x[0])
    if height.max() <= 1e-12:  # a straight or hollow front bends nowhere: the most accurate
        return best_under(cost, accuracy, math.inf)
    return indices[int(height.argmax())]


def best_under(cost: Numbers, accuracy: Numbers, max_cost: float) -> int | None:
    """The most accurate trial of at most `max_cost`, the cheapest of equals; None if none fits."""
    costs, _ = _checked(cost, accuracy)
    affordable = [i for i in front(cost, accuracy) if costs[i] <= max_cost]
    if not affordable:
        return None
    best = affordable[-1]
    return next(i for i in affordable if costs[i] == costs[best])


def cheapest_above(cost: Numbers, accuracy: Numbers, min_accuracy: float) -> int | None:
    """The cheapest trial of at least `min_accuracy`; None if none reaches it."""
    _, gain = _checked(cost, accuracy)
    return next((i for i in front(cost, accuracy) if gain[i] >= min_accuracy), None)


def _checked(
    cost: Numbers, accuracy: Numbers
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    costs = np.asarray(cost, dtype=np.float64)
    gain = np.asarray(accuracy, dtype=np.float64)
    if costs.shape != gain.shape or costs.ndim != 1:
        raise ValueError(f"cost {costs.shape} and accuracy {gain.shape} must be equally long rows")
    if not (np.isfinite(costs).all() and np.isfinite(gain).all() and (costs > 0).all()):
        raise ValueError("cost must be positive and finite, accuracy finite")
    return costs, gain
