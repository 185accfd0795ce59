"""An accuracy, a difference on the same images, and the optimism of a search, with intervals.

    D +- sqrt(t^2 seed part + z^2 image part)

t is Student's for the seed part, whose variance is estimated from few seeds (for a difference with
the degrees of freedom of Welch, Biometrika 34, 1947), z the normal one for the image part, whose
variance is estimated from many images.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm, t

from runs.confirmation.estimate import Estimate
from runs.confirmation.image_results import Floats

_EXTREME = 1e-4
"""Accuracies are kept this far from 0 and 1, where the log odds are infinite."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A figure and where it lies with 95 % confidence (or another level, where one was asked)."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the sign is beyond doubt."""
        return self.low > 0 or self.high < 0


def accuracy_intervals(estimate: Estimate, level: float = 0.95) -> list[Interval]:
    """Of the accuracy of each configuration, computed on the scale of its log odds.

    There an accuracy near 1 scatters evenly to both sides, and the interval ends before 1.
    """
    p = np.clip(estimate.accuracy, _EXTREME, 1 - _EXTREME)
    half = half_width(
        estimate.mean_variance,
        estimate.degrees_of_freedom,
        np.maximum(0.0, np.diag(estimate.image_covariance)),
        level,
    )
    low, high = (expit(logit(p) + sign * half / (p * (1 - p))) for sign in (-1, 1))
    return [
        Interval(value=float(a), low=float(min(a, b)), high=float(max(a, c)))
        for a, b, c in zip(estimate.accuracy, low, high, strict=True)
    ]


def difference_interval(estimate: Estimate, i: int, j: int, level: float = 0.95) -> Interval:
    """Of the accuracy of configuration i less that of j, on the same images.

    It is one interval for one question asked beforehand; for many at once see `families`.
    """
    parts = estimate.mean_variance[[i, j]]
    image = estimate.image_covariance
    half = half_width(
        parts.sum(),
        welch(parts, estimate.degrees_of_freedom[[i, j]]),
        np.maximum(0.0, image[i, i] + image[j, j] - 2 * image[i, j]),
        level,
    )
    value = float(estimate.accuracy[i] - estimate.accuracy[j])
    return Interval(value=value, low=value - float(half), high=value + float(half))


def optimism_intervals(searched: Floats, fresh: Estimate, level: float = 0.95) -> list[Interval]:
    """What the search saw of each configuration less what fresh seeds say, on the same images.

    Args:
        searched: (m,) validation accuracies of one training each, from the search.
        fresh: the estimate from fresh validation.

    The interval is that of one training against the mean of k others. It leaves out zero where a
    configuration owed its place to more luck than one training in twenty has.
    """
    half = half_width(
        fresh.seed_variance * (1 + 1 / fresh.num_seeds), fresh.degrees_of_freedom, 0.0, level
    )
    return [
        Interval(value=float(d), low=float(d - h), high=float(d + h))
        for d, h in zip(searched - fresh.accuracy, half, strict=True)
    ]


def welch(variances: Floats, degrees_of_freedom: Floats) -> float:
    """Degrees of freedom of a sum of independent variances, by Welch and Satterthwaite."""
    unsure = float((variances**2 / degrees_of_freedom).sum())
    return float(variances.sum()) ** 2 / unsure if unsure else math.inf


def half_width(
    seed_part: Floats | float,
    degrees_of_freedom: Floats | float,
    image_part: Floats | float,
    level: float,
) -> Floats:
    """Of an interval of that level, from the variances of its parts; the arguments broadcast."""
    tail = (1 + level) / 2
    squared = t.ppf(tail, degrees_of_freedom) ** 2 * seed_part + norm.ppf(tail) ** 2 * image_part
    return np.asarray(np.sqrt(squared))
