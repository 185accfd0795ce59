"""Accuracy against FLOPs: front, hypervolume, knee, best under a budget. Pure functions.

Everywhere `flops` (positive, minimised) and `accuracy` (in [0, 1], maximised) are sequences of
one length, one entry a trial; answers are indices into them. A trial dominates another if it is
at least as good in both objectives and better in one. Trials equal in both do not dominate each
other, so both stay on the front.
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
    flops: float
    """The most expensive configuration the study may try."""


def front(flops: Numbers, accuracy: Numbers) -> list[int]:
    """Indices of the trials no other dominates, cheapest first; equal trials in the order given."""
    cost, gain = _checked(flops, accuracy)
    chosen: list[int] = []
    for i in np.lexsort((np.arange(len(cost)), -gain, cost)):
        last = chosen[-1] if chosen else None
        equal = last is not None and cost[i] == cost[last] and gain[i] == gain[last]
        if last is None or equal or gain[i] > gain[last]:
            chosen.append(int(i))
    return chosen


def hypervolume(flops: Numbers, accuracy: Numbers, reference: Reference) -> float:
    """Area between the front and the reference point, in accuracy x decades of FLOPs.

    The x-axis is log10 FLOPs: a point with accuracy a at F FLOPs dominates the rectangle
    (a - reference.accuracy) x log10(reference.flops / F). Trials beyond the reference in either
    objective add nothing.
    """
    cost, gain = _checked(flops, accuracy)
    inside = (cost < reference.flops) & (gain > reference.accuracy)
    cost, gain = cost[inside], gain[inside]
    indices = front(cost, gain)
    if not indices:
        return 0.0
    right = [*(math.log10(cost[i]) for i in indices[1:]), math.log10(reference.flops)]
    return sum(
        (float(gain[i]) - reference.accuracy) * (end - math.log10(cost[i]))
        for i, end in zip(indices, right, strict=True)
    )


def hypervolume_history(flops: Numbers, accuracy: Numbers, reference: Reference) -> list[float]:
    """Hypervolume after the first, the first two, ... of the trials in the order given."""
    cost, gain = _checked(flops, accuracy)
    history: list[float] = []
    kept: list[int] = []
    for i in range(len(cost)):
        if np.any((cost[kept] <= cost[i]) & (gain[kept] >= gain[i])):  # nothing new: most trials
            history.append(history[-1])
            continue
        tried = [*kept, i]
        kept = [tried[j] for j in front(cost[tried], gain[tried])]
        history.append(hypervolume(cost[kept], gain[kept], reference))
    return history


def knee(flops: Numbers, accuracy: Numbers) -> int | None:
    """The front's trial farthest from the line between its ends, accuracy against log FLOPs.

    Both axes are scaled to the front's own extent, so the answer does not depend on units. A
    front of one or two trials has its best trial as knee; no trials, none.
    """
    indices = front(flops, accuracy)
    if not indices:
        return None
    cost, gain = _checked(flops, accuracy)
    x, y = np.log10(cost[indices]), gain[indices]
    if x[-1] == x[0]:
        return best_under(flops, accuracy, math.inf)
    height = (y - y[0]) / (y[-1] - y[0]) - (x - x[0]) / (x[-1] - x[0])
    if height.max() <= 1e-12:  # a straight or hollow front bends nowhere: the most accurate
        return best_under(flops, accuracy, math.inf)
    return indices[int(height.argmax())]


def best_under(flops: Numbers, accuracy: Numbers, max_flops: float) -> int | None:
    """The most accurate trial of at most `max_flops`, the cheapest of equals; None if none fits."""
    cost, _ = _checked(flops, accuracy)
    affordable = [i for i in front(flops, accuracy) if cost[i] <= max_flops]
    if not affordable:
        return None
    best = affordable[-1]
    return next(i for i in affordable if cost[i] == cost[best])


def cheapest_above(flops: Numbers, accuracy: Numbers, min_accuracy: float) -> int | None:
    """The cheapest trial of at least `min_accuracy`; None if none reaches it."""
    _, gain = _checked(flops, accuracy)
    return next((i for i in front(flops, accuracy) if gain[i] >= min_accuracy), None)


def _checked(
    flops: Numbers, accuracy: Numbers
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    cost = np.asarray(flops, dtype=np.float64)
    gain = np.asarray(accuracy, dtype=np.float64)
    if cost.shape != gain.shape or cost.ndim != 1:
        raise ValueError(f"flops {cost.shape} and accuracy {gain.shape} must be equally long rows")
    if not (np.isfinite(cost).all() and np.isfinite(gain).all() and (cost > 0).all()):
        raise ValueError("flops must be positive and finite, accuracy finite")
    return cost, gain
