"""Numbers to Plotly figures. No Streamlit: a page decides where they go.

The colours are Okabe and Ito's (2008), which the colour-blind can tell apart; each has one meaning
on every page. Strangers' text is escaped, since Plotly obeys some HTML.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import plotly.graph_objects as go

from dashboard.points import Floats, Points
from dashboard.wording import for_plotly
from runs.record import EpochRecord, State
from space.quantities import format_count

MIXER, VIT = "#0072B2", "#D55E00"
FAMILIES = {"mixer": MIXER, "vit": VIT}
STATES = {
    State.COMPLETE: "#009E73",
    State.PRUNED: "#E69F00",
    State.REFUSED: "#888888",
    State.FAILED: "#CC79A7",
}

MANY = 5_000
"""From so many points on a figure is drawn by the graphics card: SVG takes seconds."""

_HOVER = (
    "<b>Trial %{customdata[0]}</b><br>%{hovertext}<br>%{y:.2f} % accuracy<br>"
    "%{customdata[1]:.3s} FLOPs<br>%{customdata[2]:.3s} parameters<extra></extra>"
)


@dataclass(frozen=True, kw_only=True)
class Series:
    """Trials drawn in one colour."""

    name: str
    color: str
    points: Points
    has_front: bool = True
    """Whether the front is drawn through them, or they are hollow and alone."""


def front_figure(
    series: Sequence[Series], *, limit: float | None = None, chosen: int | None = None
) -> go.Figure:
    """Accuracy against cost: every trial a point, every front a stair.

    Args:
        series: all on the same axis.
        limit: draws a line there and marks each front's most accurate trial within it.
        chosen: the number of a trial to put a ring around.
    """
    figure = go.Figure()
    for one in series:
        figure.add_trace(_cloud(one))
    for one in series:
        if one.has_front:
            figure.add_trace(_stair(one))
    if limit is not None:
        figure.add_vline(x=limit, line={"dash": "dot", "width": 1, "color": "#888888"})
        for one in series:
            best = one.points.best_within(limit) if one.has_front else None
            if best is not None:
                figure.add_trace(_mark(one, best, f"Best {one.name}", "diamond"))
    for one in series:
        for index, trial in enumerate(one.points.trials):
            if trial.number == chosen:
                figure.add_trace(_mark(one, index, f"Trial {chosen}", "circle-open"))
    axis = series[0].points.axis
    _dress(figure, height=520, x=axis.title, y="Validation accuracy (%)")
    ticks = _ticks([x for one in series for x in one.points.x])
    figure.update_xaxes(type="log", tickvals=ticks, ticktext=[format_count(t) for t in ticks])
    figure.update_layout(hovermode="closest", dragmode="zoom")
    return figure


def curves_figure(
    epochs: Sequence[EpochRecord],
    columns: Mapping[str, str],
    title: str,
    *,
    color: str,
    scale: float = 1.0,
) -> go.Figure:
    """Fields of the epochs against the epoch.

    Args:
        epochs: of one trial.
        columns: the name a line is shown under, to the field of `EpochRecord` it draws.
        title: of the y-axis, with its unit.
        color: of the lines; the training's is dotted.
        scale: values are multiplied by it.
    """
    figure = go.Figure()
    for name, column in columns.items():
        figure.add_trace(
            go.Scatter(
                x=np.array([epoch.epoch for epoch in epochs]),
                y=scale * np.array([getattr(epoch, column) for epoch in epochs], np.float64),
                name=name,
                mode="lines+markers" if len(epochs) < 30 else "lines",
                line={"color": color, "dash": "dot" if name == "Training" else "solid"},
            )
        )
    _dress(figure, height=300, x="Epoch", y=title)
    figure.update_layout(hovermode="x unified")
    figure.update_xaxes(dtick=1 if len(epochs) <= 10 else None)  # no half epochs
    figure.update_yaxes(exponentformat="power")
    return figure


def hypervolume_figure(x: Floats, hypervolume: Floats, title: str) -> go.Figure:
    """The hypervolume after each trial; only the steps are drawn, so 10,000 trials stay light."""
    steps = np.flatnonzero(np.diff(hypervolume, prepend=-1.0))
    if len(x):
        steps = np.union1d(steps, [len(x) - 1])
    line = {"color": MIXER, "shape": "hv"}
    figure = go.Figure(
        go.Scatter(x=x[steps], y=hypervolume[steps], mode="lines", line=line, name="Hypervolume")
    )
    _dress(figure, height=340, x=title, y="Hypervolume (accuracy × decades of FLOPs)")
    figure.update_xaxes(exponentformat="SI", rangemode="tozero")
    return figure


def endings_figure(times: Mapping[State, Sequence[datetime]]) -> go.Figure:
    """How many trials had ended in each state, over time."""
    figure = go.Figure()
    first, last = min(e[0] for e in times.values()), max(e[-1] for e in times.values())
    for state, ended in times.items():
        moments = [time.replace(tzinfo=None) for time in (first, *ended, last)]
        figure.add_trace(
            go.Scatter(
                x=np.array(moments, "datetime64[ms]"),
                y=np.array([0, *range(1, len(ended) + 1), len(ended)]),
                name=state.value,
                mode="lines",
                line={"color": STATES[state], "shape": "hv"},
            )
        )
    _dress(figure, height=340, x="Time (UTC)", y="Trials")
    return figure


def _ticks(values: Sequence[float]) -> list[float]:
    """1, 2 and 5 of every decade from below the least value to above the greatest.

    Plotly's own labels say `5` for 500 k and 5 M alike.
    """
    if not values:
        return []
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return [digit * 10.0**decade for decade in range(low, high + 1) for digit in (1, 2, 5)]


def _cloud(series: Series) -> go.Scatter | go.Scattergl:
    points = series.points
    marker = {"color": series.color, "size": 7, "opacity": 0.7}
    if not series.has_front:
        marker |= {"symbol": "circle-open", "opacity": 1.0}
    draw = go.Scattergl if len(points.trials) >= MANY else go.Scatter
    return draw(
        **_columns(points, range(len(points.trials))),
        name=series.name,
        mode="markers",
        marker=marker,
    )


def _stair(series: Series) -> go.Scatter:
    return go.Scatter(
        **_columns(series.points, series.points.front),
        name=f"{series.name} front",
        mode="lines+markers",
        line={"color": series.color, "shape": "hv", "width": 2},
        marker={"color": series.color, "size": 9},
    )


def _mark(series: Series, index: int, name: str, symbol: str) -> go.Scatter:
    return go.Scatter(
        **_columns(series.points, [index]),
        name=for_plotly(name),
        mode="markers",
        marker={"symbol": symbol, "size": 14, "color": series.color, "line": {"width": 2}},
    )


def _columns(points: Points, indices: Sequence[int]) -> dict[str, object]:
    """What a trace of trials needs. Number arrays travel as bytes, but a click brings back a row
    of `customdata` only where it is made of lists.
    """
    trials = [points.trials[i] for i in indices]
    return {
        "x": points.x[list(indices)],
        "y": 100 * points.accuracy[list(indices)],
        "customdata": [[t.number, t.flops, t.params] for t in trials],
        "hovertext": [for_plotly(t.label) for t in trials],
        "hovertemplate": _HOVER,
    }


def _dress(figure: go.Figure, *, height: int, x: str, y: str) -> None:
    """What all figures share."""
    figure.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 40, "b": 10},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0.0},
        xaxis_title=x,
        yaxis_title=y,
    )
