"""Trials to a Plotly figure of accuracy against cost: the cloud, every front, bars."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import plotly.graph_objects as go

from runs.noise import Noise
from runs.plot.axes import MANY, dress, for_plotly, log_axis
from runs.plot.palette import LIGHT, Palette
from runs.points import Points
from runs.record import State
from runs.wording import mean_of_seeds
from space.costs import FLOPS, PARAMS

_NOT_CONVERGED = "Not converged"

_HOVER = (
    "<b>Trial %{customdata[0]}</b><br>%{hovertext}<br>%{y:.2f} % accuracy<br>%{customdata[3]}"
    "%{customdata[1]:.3s} FLOPs<br>%{customdata[2]:.3s} parameters<extra></extra>"
)


@dataclass(frozen=True, kw_only=True)
class Series:
    """Trials drawn in one colour."""

    name: str
    color: str
    """As a family brings it; a figure makes it readable on its background."""
    points: Points
    has_front: bool = True
    """Whether the front is drawn through them, or they are hollow and alone."""
    is_stopped: bool = False
    """Whether they were stopped early: pale crosses where they were."""
    noise: Noise | None = None
    """Of the study: members of the front have bars then, where their intervals are known."""
    unconverged: Collection[int] = ()
    """Numbers of trials whose training had not converged; their points are hollow."""


def front_figure(
    series: Sequence[Series],
    *,
    limit: float | None = None,
    chosen: int | None = None,
    palette: Palette = LIGHT,
) -> go.Figure:
    """Accuracy against cost: every configuration a point, every front a stair.

    A configuration of several seeds is at their mean, with a bar from the lowest to the highest;
    on the front the bar is the interval, where that is known.

    Args:
        series: all on the same axis.
        limit: draws a line there and marks each front's most accurate trial within it.
        chosen: the number of the trial to put a ring around.
    """
    figure = go.Figure()
    series = [replace(one, color=palette.line(one.color)) for one in series]
    for one in series:
        figure.add_trace(_cloud(one, palette))
        with_bars = set(one.points.front) if _has_intervals(one) else set()
        several = [
            i
            for i, accuracies in enumerate(one.points.seeds)
            if len(accuracies) > 1 and i not in with_bars
        ]
        if several and not one.is_stopped:
            figure.add_trace(_spread(one, several))
    for one in series:
        if one.has_front:
            figure.add_trace(_stair(one))
    if limit is not None:
        figure.add_vline(x=limit, line={"dash": "dot", "width": 1, "color": palette.muted})
        for one in series:
            best = one.points.best_within(limit) if one.has_front else None
            if best is not None:
                figure.add_trace(_mark(one, best, f"Best {one.name}", "diamond"))
    for one in series:
        for index, trial in enumerate(one.points.trials):
            if trial.number == chosen:
                figure.add_trace(_mark(one, index, f"Trial {chosen}", "circle-open"))
    hollow = [
        (one, [i for i, t in enumerate(one.points.trials) if t.number in one.unconverged])
        for one in series
    ]
    for one, indices in hollow:
        if indices:
            is_known = any(drawn.name == _NOT_CONVERGED for drawn in figure.data)
            figure.add_trace(_hollow(one, indices, palette, in_legend=not is_known))
    axis = series[0].points.axis
    dress(figure, height=480, x=axis.title, y="Validation accuracy (%)", palette=palette)
    shown = [float(x) for one in series for x in one.points.x]
    log_axis(figure, shown if limit is None else [*shown, limit])
    figure.update_layout(hovermode="closest", dragmode="zoom")
    return figure


def _cloud(series: Series, palette: Palette) -> go.Scatter | go.Scattergl:
    points = series.points
    marker = {"color": series.color, "size": 7, "opacity": 0.8}
    if not series.has_front:
        marker |= {"symbol": "circle-open", "opacity": 1.0}
    if series.is_stopped:
        marker |= {"symbol": "x", "size": 5, "color": palette.tone(series.color), "opacity": 1.0}
    draw = go.Scattergl if len(points.trials) >= MANY else go.Scatter
    return draw(
        **_columns(series, range(len(points.trials))),
        name=series.name,
        mode="markers",
        marker=marker,
    )


def _spread(series: Series, several: Sequence[int]) -> go.Scatter:
    accuracies = [series.points.seeds[i] for i in several]
    mean = series.points.accuracy[several]
    return go.Scatter(
        **_columns(series, several),
        name=f"{series.name} seeds",
        showlegend=False,
        mode="markers",
        marker={"color": series.color, "size": 1},
        error_y={
            "array": 100 * (np.array([max(each) for each in accuracies]) - mean),
            "arrayminus": 100 * (mean - np.array([min(each) for each in accuracies])),
            "thickness": 1.5,
            "width": 4,
        },
    )


def _stair(series: Series) -> go.Scatter:
    members = series.points.front
    return go.Scatter(
        **_columns(series, members),
        name=f"{series.name} front",
        mode="lines+markers",
        line={"color": series.color, "shape": "hv", "width": 2},
        marker={"color": series.color, "size": 9},
        error_y=_bars(series, members),
    )


def _bars(series: Series, members: Sequence[int]) -> dict[str, object] | None:
    """The interval of each member of the front."""
    if series.noise is None or not _has_intervals(series):
        return None
    intervals = [series.noise.interval(series.points.trials[i]) for i in members]
    return {
        "array": np.array([100 * (one.high - one.value) for one in intervals if one]),
        "arrayminus": np.array([100 * (one.value - one.low) for one in intervals if one]),
        "thickness": 1,
        "width": 3,
    }


def _has_intervals(series: Series) -> bool:
    known = series.noise is not None and series.noise.num_images is not None
    return series.has_front and known


def _hollow(
    series: Series, indices: Sequence[int], palette: Palette, *, in_legend: bool
) -> go.Scatter:
    """Hollow hearts for points whose training had not converged; the legend has them once."""
    return go.Scatter(
        **_columns(series, indices),
        name=_NOT_CONVERGED,
        legendgroup=_NOT_CONVERGED,
        showlegend=in_legend,
        mode="markers",
        marker={
            "color": palette.background,
            "size": 5,
            "line": {"color": palette.muted, "width": 1},
        },
    )


def _mark(series: Series, index: int, name: str, symbol: str) -> go.Scatter:
    return go.Scatter(
        **_columns(series, [index]),
        name=for_plotly(name),
        mode="markers",
        marker={"symbol": symbol, "size": 14, "color": series.color, "line": {"width": 2}},
    )


def _columns(series: Series, indices: Sequence[int]) -> dict[str, object]:
    """What a trace of trials needs. Number arrays travel as bytes, but a click brings back a row
    of `customdata` only where it is made of lists.
    """
    points = series.points
    known = [(points.trials[i], i) for i in indices]
    return {
        "x": points.x[list(indices)],
        "y": 100 * points.accuracy[list(indices)],
        "customdata": [[t.number, t.flops, t.params, _remarks(series, i)] for t, i in known],
        "hovertext": [for_plotly(t.label) for t, _ in known],
        "hovertemplate": _HOVER,
    }


def _remarks(series: Series, index: int) -> str:
    """Lines of the hover box: the interval of a member of the front, several seeds, where the trial
    was stopped."""
    points = series.points
    trial, accuracies = points.trials[index], points.seeds[index]
    lines = []
    if series.noise and series.has_front and index in points.front:
        interval = series.noise.interval(trial)
        if interval:
            ends = f"{100 * interval.low:.2f} to {100 * interval.high:.2f} %"
            lines.append(f"95 %: {ends}, {series.noise.covers}")
    if trial.number in series.unconverged:
        lines.append("not converged")
    if len(accuracies) > 1:
        lines.append(mean_of_seeds(accuracies))
    if points.axis not in (FLOPS, PARAMS):
        lines.append(for_plotly(points.axis.shortly(float(points.x[index]))))
    if trial.state is State.PRUNED:
        lines.append(f"stopped after epoch {trial.rung} of {trial.epochs}")
    return "".join(f"{line}<br>" for line in lines)
