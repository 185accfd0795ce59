"""The mean of accuracy along one parameter, with its interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from runs.points import Floats

MOST = 8
"""Different values that have a mean each; more are gathered in as many groups of equally many
trials."""


@dataclass(frozen=True, kw_only=True)
class Means:
    """One entry a value, or a group of neighbouring ones, ascending."""

    x: Floats
    """The value, of a group the mean."""
    mean: Floats
    low: Floats
    """Of the mean's 95 % interval; NaN where every value has a single trial."""
    high: Floats


def means(x: Floats, y: Floats, level: float = 0.95) -> Means:
    """The means of y along x.

    A parameter has few values, which lie on no grid that a smoother would suit: the mean at each
    value assumes nothing of what is between them. For the intervals the scatter is taken to be the
    same around all means, as in an analysis of variance: two trials alone hardly tell theirs.
    """
    values = np.unique(x)
    if len(values) > MOST:
        order = np.argsort(x, kind="stable")
        groups = np.array_split(order, MOST)
    else:
        groups = [np.flatnonzero(x == value) for value in values]
    number = np.array([len(group) for group in groups], np.float64)
    mean = np.array([y[group].mean() for group in groups])
    squares = sum(float(((y[group] - y[group].mean()) ** 2).sum()) for group in groups)
    left = len(y) - len(groups)
    half = np.full(len(groups), np.nan)
    if left > 0:
        half = t.ppf((1 + level) / 2, left) * np.sqrt(squares / left / number)
    return Means(
        x=np.array([x[group].mean() for group in groups]),
        mean=mean,
        low=mean - half,
        high=mean + half,
    )
