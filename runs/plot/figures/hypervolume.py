"""What searches gained for what they spent: hypervolume as Plotly figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from runs.plot.figures.axes import count_axis, dress, for_plotly
from runs.plot.figures.compare import line_of_study
from runs.plot.palette import LIGHT, Palette
from runs.snapshot import History
from space.costs import FLOPS, Cost

Against = Literal["training_flops", "configurations"]
"""The x-axis: training FLOPs spent, or configurations finished."""

_TITLES = {
    "training_flops": "Training FLOPs spent",
    "configurations": "Configurations finished",
}


def hypervolume_figure(
    history: History, against: Against, cost: Cost = FLOPS, *, palette: Palette = LIGHT
) -> go.Figure:
    """The hypervolume of a study as it went on, from none on, of accuracy and a cost."""
    stair = _stair(history, against, "Hypervolume", {"color": palette.search})
    return _figure([stair], against, cost, 340, palette)


def hypervolumes_figure(
    histories: Mapping[str, History],
    against: Against,
    names: Sequence[str],
    cost: Cost = FLOPS,
    *,
    palette: Palette = LIGHT,
) -> go.Figure:
    """The same of several studies, all to the same reference point.

    Args:
        histories: as `runs.compare_studies.histories` gives them.
        against: the x-axis.
        names: of all studies shown, so that each has the colour it has in `fronts_figure`.
        cost: what the studies minimise.
        palette: of the page's theme.
    """
    stairs = [
        _stair(history, against, for_plotly(name), line_of_study(names.index(name), palette))
        for name, history in histories.items()
    ]
    figure = _figure(stairs, against, cost, 400, palette)
    return figure.update_layout(showlegend=True)  # one study alone has a name too


def _stair(history: History, against: Against, name: str, line: dict[str, Any]) -> go.Scatter:
    """Only the steps, so 10,000 trials stay light."""
    x = history.training_flops
    if against == "configurations":
        x = np.arange(1, len(history.hypervolume) + 1, dtype=np.float64)
    x, y = np.append(0.0, x), np.append(0.0, history.hypervolume)
    steps = np.union1d(np.flatnonzero(np.diff(y, prepend=-1.0)), [len(x) - 1])
    return go.Scatter(x=x[steps], y=y[steps], name=name, mode="lines", line=line | {"shape": "hv"})


def _figure(
    stairs: Sequence[go.Scatter], against: Against, cost: Cost, height: int, palette: Palette
) -> go.Figure:
    figure = go.Figure(stairs)
    title = f"Hypervolume<br>(accuracy × decades of {for_plotly(cost.unit)})"
    dress(figure, height=height, x=_TITLES[against], y=title, palette=palette)
    count_axis(figure.layout.xaxis, [stair.x[-1] for stair in stairs], whole=True)
    figure.update_yaxes(rangemode="tozero")
    return figure
