"""Medians over repeats with their uncertainty. A study that never got there counts as infinite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

RESAMPLES = 2_000
LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A median, or a ratio of two, and the interval it lies in with 95 % confidence."""

    value: float
    low: float
    high: float
    is_least: bool = False
    """Whether what is estimated may be more: studies ended before they got there."""


@dataclass(frozen=True)
class Band:
    """The middle of some repeats: median with its interval, and quartiles."""

    median: Estimate
    lower: float
    """The quartiles: values that repeats had."""
    upper: float


def band(values: Sequence[float]) -> Band:
    """Of the repeats of a method; infinite values are allowed."""
    lower, upper = np.quantile(values, [0.25, 0.75], method="nearest")
    resampled = _medians(values, np.random.default_rng(0))
    return Band(_estimate(float(np.median(values)), resampled), float(lower), float(upper))


def ratio(above: Sequence[float], below: Sequence[float]) -> Estimate:
    """Of the medians of two methods; the repeats of each are resampled on their own.

    Infinite where only the first never gets there, 0 where only the second, NaN where neither does.
    """
    rng = np.random.default_rng(0)
    resampled = _divided(_medians(above, rng), _medians(below, rng))
    return _estimate(float(_divided(np.median(above), np.median(below))), resampled)


def _medians(values: Sequence[float], rng: np.random.Generator) -> Floats:
    """Of bootstrap samples (Efron 1979)."""
    given = np.asarray(values, dtype=np.float64)
    return np.median(rng.choice(given, size=(RESAMPLES, len(given))), axis=1)


def _divided(above: npt.ArrayLike, below: npt.ArrayLike) -> Floats:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.divide(above, below))


def _estimate(value: float, resampled: Floats) -> Estimate:
    known = resampled[~np.isnan(resampled)]
    if not len(known) or np.isnan(value):
        return Estimate(value, np.nan, np.nan)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(known, [tail, 1 - tail], method="nearest")
    return Estimate(value, float(low), float(high))
