"""Fewer points where there are too many for a file that is mailed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from runs.plot.figures.front import Series

MOST_POINTS = 2_000
"""On one figure; every one takes about 150 bytes of the file."""


def thinned(series: Sequence[Series], most: int) -> tuple[list[Series], int]:
    """The series with no more points than that, but for those of fronts, which all stay.

    The points that stay are spread evenly over the trials as they were numbered.

    Args:
        series: of one figure.
        most: how many points it may have.

    Returns:
        The series, and how many points were left out.
    """
    total = sum(len(one.points.trials) for one in series)
    if total <= most:
        return list(series), 0
    kept = [_thinned(one, most * len(one.points.trials) // total) for one in series]
    return kept, total - sum(len(one.points.trials) for one in kept)


def _thinned(series: Series, most: int) -> Series:
    points = series.points
    some = np.linspace(0, len(points.trials) - 1, max(1, most)).round().astype(int)
    on_front = points.front if series.has_front else []
    keep = sorted({*some.tolist(), *on_front}) if points.trials else []
    return replace(
        series,
        points=replace(
            points,
            trials=[points.trials[i] for i in keep],
            x=points.x[keep],
            seeds=[points.seeds[i] for i in keep],
        ),
    )
