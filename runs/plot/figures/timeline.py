"""What happened when, a bar a training, as a Plotly figure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import plotly.graph_objects as go

from runs.plot.figures.axes import dress
from runs.plot.palette import LIGHT, Palette
from runs.record import State
from runs.timeline import Phase, Stretch, lanes_of
from space.quantities import format_seconds

_LANE, _HIGHEST = 34, 640
"""Height of a lane, and of all of them, in pixels."""
_SHOWN = 8
"""Numbers of trials in a hover box."""


def timeline_figure(stretches: Sequence[Stretch], *, palette: Palette = LIGHT) -> go.Figure:
    """A row a lane, time to the right; a training's phases one after the other.

    Validation comes after every epoch; here all of it stands after the training, so that its share
    can be seen.

    Args:
        stretches: see `runs.timeline.thinned`.
        palette: of the theme.
    """
    figure = go.Figure()
    colors = _colors(palette)
    for phase in Phase:
        bars = [
            (one, offset, seconds)
            for one in stretches
            for name, offset, seconds in _in_order(one)
            if name is phase and seconds > 0
        ]
        if bars:
            figure.add_trace(_bars(phase, bars, colors[phase]))
    lanes = lanes_of(stretches)
    dress(figure, height=110 + min(_HIGHEST, _LANE * lanes), x="Time (UTC)", y="", palette=palette)
    figure.update_layout(
        barmode="overlay", bargap=0.25, hovermode="closest", legend={"traceorder": "normal"}
    )
    labels = [_lane(lane) for lane in range(lanes)]
    figure.update_xaxes(type="date")
    figure.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=labels[::-1],
        showgrid=False,
        ticksuffix="  ",
    )
    return figure


def _bars(phase: Phase, bars: Sequence[tuple[Stretch, float, float]], color: str) -> go.Bar:
    return go.Bar(
        name=phase.value.capitalize(),
        orientation="h",
        y=[_lane(one.lane) for one, _, _ in bars],
        base=np.array([_moment(one.start, offset) for one, offset, _ in bars], "datetime64[ms]"),
        x=np.array([1000 * seconds for _, _, seconds in bars]),
        marker={"color": color, "line": {"width": 0}},
        customdata=[
            [one.trials[0], _trials(one.trials), format_seconds(seconds)]
            for one, _, seconds in bars
        ],
        hovertemplate=f"<b>%{{customdata[1]}}</b><br>{phase.value} %{{customdata[2]}}"
        "<extra></extra>",
    )


def _in_order(one: Stretch) -> list[tuple[Phase, float, float]]:
    """Its phases with the second they begin at and how long they take."""
    found, offset = [], 0.0
    for phase in Phase:
        seconds = one.seconds.get(phase, 0.0)
        found.append((phase, offset, seconds))
        offset += seconds
    return found


def _colors(palette: Palette) -> dict[Phase, str]:
    """Training, validating and the rest as in the account of the wall clock."""
    training, validating, other, *_ = palette.parts
    return {
        Phase.COMPILING: palette.mark(palette.states[State.PRUNED]),
        Phase.TRAINING: training,
        Phase.VALIDATING: validating,
        Phase.WAITING: other,
        Phase.UNTIMED: palette.mark(palette.states[State.FAILED]),
        Phase.RUNNING: palette.mark(palette.states[State.COMPLETE]),
    }


def _lane(lane: int) -> str:
    return f"lane {lane + 1}"


def _moment(start: datetime, offset: float) -> datetime:
    return (start.astimezone(UTC) + timedelta(seconds=offset)).replace(tzinfo=None)


def _trials(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"Trial {numbers[0]}"
    shown = ", ".join(str(number) for number in numbers[:_SHOWN])
    more = len(numbers) - _SHOWN
    return f"Trials {shown}{f' and {more:,} more' if more > 0 else ''}"
