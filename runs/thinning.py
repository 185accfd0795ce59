"""Which of very many trials a figure draws: a browser bears tens of thousands, not more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from runs.points import Points
from space.quantities import counted

MOST_DRAWN = 20_000
"""Trials in one figure; of more, as many are drawn as this."""

_KEPT = 20
"""The newest and the most accurate are kept: one in so many of those drawn, of either."""

Indices = npt.NDArray[np.intp]


def drawn(series: Sequence[Points], most: int = MOST_DRAWN) -> list[Indices]:
    """Indices, in order, of the trials to draw of each series: of too many, in proportion."""
    sizes = [len(one.trials) for one in series]
    if sum(sizes) <= most:
        return [np.arange(size) for size in sizes]
    return [_drawn(one, most * size // sum(sizes)) for one, size in zip(series, sizes, strict=True)]


def sampled(size: int, most: int) -> Indices:
    """Indices, in order, of trials drawn at random where there are more than `most`; the same for
    the same number."""
    if size <= most:
        return np.arange(size)
    return np.sort(np.random.default_rng(0).choice(size, most, replace=False))


def thinned_sentence(series: Sequence[Points], most: int = MOST_DRAWN) -> str | None:
    """What a figure leaves out, and what it does not; None where it draws everything."""
    number = sum(len(one.trials) for one in series)
    if number <= most:
        return None
    return (
        f"{sum(map(len, drawn(series, most))):,} of {counted(number, 'configuration')} are drawn: "
        "all of the fronts, the newest, the most accurate, and of the others every n-th"
    )


def _drawn(points: Points, most: int) -> Indices:
    """Indices, in order, of the trials to draw; the same for the same trials.

    All of the front, the newest and the most accurate, and of the rest every n-th as they came,
    so that the cloud keeps its shape.

    Args:
        points: more than `most`.
        most: how many may be drawn; the front is, even where it has more members.
    """
    size, few = len(points.trials), most // _KEPT
    best = np.argsort(points.accuracy, kind="stable")[size - few :]
    kept = np.zeros(size, bool)
    kept[points.front] = kept[size - few :] = kept[best] = True
    rest = np.flatnonzero(~kept)
    more = max(0, most - int(kept.sum()))
    kept[rest[np.linspace(0, len(rest) - 1, more).round().astype(np.intp)]] = True
    return np.flatnonzero(kept)
