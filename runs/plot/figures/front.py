"""Trials to a Plotly figure of accuracy against cost: the cloud, every front, bars."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import plotly.graph_objects as go

from runs import thinning
from runs.noise import Noise
from runs.plot.figures.axes import MANY, dress, for_plotly, log_axis
from runs.plot.palette import LIGHT, Palette
from runs.points import Points
from runs.record import State
from runs.thinning import Indices
from runs.wording import mean_of_seeds
from space.costs import FLOPS, PARAMS

Trace = dict[str, Any]
"""What `go.Scatter` and `go.Scattergl` are made from alike."""

_NOT_CONVERGED = "Not converged"

_CROWD = 1_000
"""From so many points on what is to be seen is how dense they lie, not each of them."""

_HOVER = (
    "<b>Trial %{customdata[0]}</b><br>%{hovertext}<br>%{y:.2f} % accuracy<br>%{customdata[3]}"
    "%{customdata[1]}<br>%{customdata[2]}<extra></extra>"
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
    most: int = thinning.MOST_DRAWN,
    palette: Palette = LIGHT,
) -> go.Figure:
    """Accuracy against cost: every configuration a point, every front a stair.

    A configuration of several seeds is at their mean, with a bar from the lowest to the highest;
    on the front the bar is the interval, where that is known. Of a thousand configurations and
    more the cloud is pale, so that the fronts stand out; of very many it is thinned as
    `runs.thinning` says.

    Args:
        series: all on the same axis.
        limit: draws a line there and marks each front's most accurate trial within it.
        chosen: the number of the trial to put a ring around.
        most: how many configurations it draws.
        palette: of the theme it is drawn in.
    """
    series = [replace(one, color=palette.line(one.color)) for one in series]
    drawn = thinning.drawn([one.points for one in series], most)
    size = sum(map(len, drawn))
    # What the graphics card draws lies above all that it does not: so it draws all or nothing
    trace = go.Scattergl if size >= MANY else go.Scatter
    traces = []
    for one, indices in zip(series, drawn, strict=True):
        traces.append(_cloud(one, indices, palette, is_crowd=size >= _CROWD))
        with_bars = set(one.points.front) if _has_intervals(one) else set()
        several = [i for i in indices if len(one.points.seeds[i]) > 1 and i not in with_bars]
        if several and not one.is_stopped:
            traces.append(_spread(one, several, palette, is_crowd=size >= _CROWD))
    with_front = [one for one in series if one.has_front]
    if size >= _CROWD:
        traces += [_halo(one, palette) for one in with_front]
    traces += [_stair(one) for one in with_front]
    if limit is not None:
        for one in with_front:
            best = one.points.best_within(limit)
            if best is not None:
                traces.append(_mark(one, best, f"Best {one.name}", "diamond"))
    for one in series:
        ring = [i for i, t in enumerate(one.points.trials) if t.number == chosen]
        traces += [_mark(one, i, f"Trial {chosen}", "circle-open") for i in ring]
    hollow = [
        (one, [i for i, t in enumerate(one.points.trials) if t.number in one.unconverged])
        for one in series
        if one.unconverged
    ]
    for one, hearts in hollow:
        if hearts:
            is_known = any(drawn["name"] == _NOT_CONVERGED for drawn in traces)
            traces.append(_hollow(one, hearts, palette, in_legend=not is_known))
    figure = go.Figure([trace(one) for one in traces])
    if limit is not None:
        figure.add_vline(x=limit, line={"dash": "dot", "width": 1, "color": palette.muted})
    axis = series[0].points.axis
    dress(figure, height=460, x=axis.title, y="Validation accuracy (%)", palette=palette)
    shown = [float(x) for one in series for x in one.points.x]
    log_axis(figure, shown if limit is None else [*shown, limit])
    figure.update_layout(hovermode="closest", dragmode="zoom")
    return figure


def _cloud(series: Series, indices: Indices, palette: Palette, *, is_crowd: bool) -> Trace:
    marker: dict[str, object] = {"color": series.color, "size": 7, "opacity": 0.8}
    if is_crowd:
        marker |= {"color": palette.tone(series.color), "size": 4, "opacity": 0.7}
    if not series.has_front:
        marker |= {"symbol": "circle-open", "opacity": 1.0}
    if series.is_stopped:
        marker |= {"symbol": "x", "size": 5, "color": palette.tone(series.color), "opacity": 1.0}
    return _columns(series, indices) | {"name": series.name, "mode": "markers", "marker": marker}


def _spread(series: Series, several: Sequence[int], palette: Palette, *, is_crowd: bool) -> Trace:
    color = palette.tone(series.color) if is_crowd else series.color
    accuracies = [series.points.seeds[i] for i in several]
    mean = series.points.accuracy[several]
    return _columns(series, several) | {
        "name": f"{series.name} seeds",
        "showlegend": False,
        "mode": "markers",
        "marker": {"color": color, "size": 1},
        "error_y": {
            "array": 100 * (np.array([max(each) for each in accuracies]) - mean),
            "arrayminus": 100 * (mean - np.array([min(each) for each in accuracies])),
            "thickness": 1.5,
            "width": 4,
        },
    }


def _stair(series: Series) -> Trace:
    members = series.points.front
    return _columns(series, members) | {
        "name": f"{series.name} front",
        "mode": "lines+markers",
        "line": {"color": series.color, "shape": "hv", "width": 2},
        "marker": {"color": series.color, "size": 9},
        "error_y": _bars(series, members),
    }


def _halo(series: Series, palette: Palette) -> Trace:
    """A rim around a front, which would be lost in a crowd of its own colour."""
    members = series.points.front
    return {
        "x": series.points.x[members],
        "y": 100 * series.points.accuracy[members],
        "name": f"{series.name} rim",
        "showlegend": False,
        "hoverinfo": "skip",
        "mode": "lines+markers",
        "line": {"color": palette.background, "shape": "hv", "width": 6},
        "marker": {"color": palette.background, "size": 13},
    }


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


def _hollow(series: Series, indices: Sequence[int], palette: Palette, *, in_legend: bool) -> Trace:
    """Hollow hearts for points whose training had not converged; the legend has them once."""
    return _columns(series, indices) | {
        "name": _NOT_CONVERGED,
        "legendgroup": _NOT_CONVERGED,
        "showlegend": in_legend,
        "mode": "markers",
        "marker": {
            "color": palette.background,
            "size": 5,
            "line": {"color": palette.muted, "width": 1},
        },
    }


def _mark(series: Series, index: int, name: str, symbol: str) -> Trace:
    return _columns(series, [index]) | {
        "name": for_plotly(name),
        "mode": "markers",
        "marker": {"symbol": symbol, "size": 14, "color": series.color, "line": {"width": 2}},
    }


def _columns(series: Series, indices: Sequence[int] | Indices) -> Trace:
    """What a trace of trials needs. Number arrays travel as bytes, but a click brings back a row
    of `customdata` only where it travels as lists, which an array of objects does.
    """
    points, on_front = series.points, set(series.points.front)
    rows = [
        [
            (t := points.trials[i]).number,
            FLOPS.shortly(t.flops),
            PARAMS.shortly(t.params),
            _remarks(series, i, is_on_front=i in on_front),
        ]
        for i in indices
    ]
    return {
        "x": points.x[indices],
        "y": 100 * points.accuracy[indices],
        "customdata": np.array(rows, object).reshape(len(rows), 4),
        "hovertext": np.array([for_plotly(points.trials[i].label) for i in indices], object),
        "hovertemplate": _HOVER,
    }


def _remarks(series: Series, index: int, *, is_on_front: bool) -> str:
    """Lines of the hover box: the interval of a member of the front, several seeds, where the trial
    was stopped."""
    points = series.points
    trial, accuracies = points.trials[index], points.seeds[index]
    lines = []
    if series.noise and series.has_front and is_on_front:
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
