"""A study's progress to Plotly figures: endings, time and speed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
import plotly.graph_objects as go

from runs.accounting import Account
from runs.plot.figures.axes import MANY, count_axis, dress, for_plotly, log_axis
from runs.plot.palette import LIGHT, Palette
from runs.record import State, TrialRecord
from runs.wording import flop_per_second, state_word
from space.costs import FLOPS
from space.families import FAMILIES
from space.quantities import format_seconds

_UNITS = {"hours": 3600, "minutes": 60, "seconds": 1}
_SOME_TIME = timedelta(seconds=30)
"""Shown before the first trial that ended and after the last: a single one would have an axis of
milliseconds; of many a fiftieth of theirs, so that no line touches the frame."""

_SPEED = (
    "<b>Trial %{customdata[0]}</b><br>%{hovertext}<br>%{customdata[1]}<br>"
    "%{customdata[2]:,.0f} images/s<br>%{customdata[3]}<extra></extra>"
)


def endings_figure(
    times: Mapping[State, Sequence[datetime]], *, palette: Palette = LIGHT
) -> go.Figure:
    """How many trials had ended in each state, over time."""
    figure = go.Figure()
    first, last = min(e[0] for e in times.values()), max(e[-1] for e in times.values())
    for state, ended in times.items():
        moments = [time.replace(tzinfo=None) for time in (first, *ended, last)]
        figure.add_trace(
            go.Scatter(
                x=np.array(moments, "datetime64[ms]"),
                y=np.array([0, *range(1, len(ended) + 1), len(ended)]),
                name=state_word(state),
                mode="lines",
                line={"color": palette.states[state], "shape": "hv"},
            )
        )
    dress(figure, height=340, x="Time (UTC)", y="Trials", palette=palette)
    room = max(_SOME_TIME, (last - first) / 50)
    ends = [(first - room).replace(tzinfo=None), (last + room).replace(tzinfo=None)]
    figure.update_xaxes(autorangeoptions={"include": ends})
    count_axis(figure.layout.yaxis, [len(ended) for ended in times.values()], whole=True)
    return figure


def wall_figure(account: Account, *, palette: Palette = LIGHT) -> go.Figure:
    """The study's wall clock as one bar: training, validating and the rest.

    With several workers it is as long as all their wall clocks together.
    """
    parts = {
        "Training": account.train_seconds,
        "Validating": account.eval_seconds,
        "Other": account.other_seconds,
    }
    whole = sum(parts.values())
    unit = next((name for name, size in _UNITS.items() if whole >= 2 * size), "seconds")
    figure = go.Figure()
    for (name, seconds), color in zip(parts.items(), palette.parts, strict=False):
        share = f"{100 * seconds / whole:.1f} %" if whole else "–"
        figure.add_trace(
            go.Bar(
                x=[seconds / _UNITS[unit]],
                y=[""],
                orientation="h",
                name=f"{name} {share}",
                marker={"color": color},
                hovertemplate=f"{name}: {format_seconds(seconds)}<extra></extra>",
            )
        )
    is_sum = account.worker_seconds != account.wall_seconds
    clock = "Workers' wall clocks together" if is_sum else "Wall clock"
    dress(figure, height=150, x=f"{clock} ({unit})", y="", palette=palette)
    figure.update_layout(barmode="stack", legend={"traceorder": "normal"})
    return figure


def speed_figure(trials: Sequence[TrialRecord], *, palette: Palette = LIGHT) -> go.Figure:
    """The training speed each timed trial reached, against the FLOPs of its configuration."""
    figure = go.Figure()
    for name, family in FAMILIES.items():
        timed = [(t, t.timing) for t in trials if t.timing and t.family == name]
        if not timed:
            continue
        draw = go.Scattergl if len(timed) >= MANY else go.Scatter
        reached = [trial.train_flop_per_second or 0.0 for trial, _ in timed]
        figure.add_trace(
            draw(
                x=np.array([trial.flops for trial, _ in timed], np.float64),
                y=np.array(reached, np.float64),
                customdata=[
                    [t.number, flop_per_second(speed), timing.images_per_second, _device(t)]
                    for (t, timing), speed in zip(timed, reached, strict=True)
                ],
                hovertext=[for_plotly(trial.label) for trial, _ in timed],
                hovertemplate=_SPEED,
                name=family.label,
                mode="markers",
                marker={"color": palette.family(name), "size": 7, "opacity": 0.7},
            )
        )
    dress(figure, height=340, x=FLOPS.title, y="Training speed (FLOP/s)", palette=palette)
    log_axis(figure, [float(t.flops) for t in trials if t.timing])
    count_axis(figure.layout.yaxis, [t.train_flop_per_second or 0.0 for t in trials])
    figure.update_layout(hovermode="closest")
    return figure


def _device(trial: TrialRecord) -> str:
    return for_plotly(trial.environment.device_kind) if trial.environment else ""
