"""The fronts of several studies in one Plotly figure, and how each is told from the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from runs.noise import Noise
from runs.plot.figures.axes import dress, for_plotly, log_axis
from runs.plot.palette import LIGHT, Palette
from runs.points import Points, points_of
from runs.snapshot import Snapshot
from runs.wording import with_arm
from space.costs import FLOPS, Cost
from space.families import FAMILIES, find_family

_SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross")
_DASHES = ("solid", "dash", "dot")


def fronts_figure(
    studies: Mapping[str, Snapshot], axis: Cost = FLOPS, *, palette: Palette = LIGHT
) -> go.Figure:
    """The front of what each study searched: a colour a study, a marker a family.

    Args:
        studies: by the name they are shown under; the same place has the same colour in all
            figures.
        axis: what accuracy is weighed against.
        palette: of the page's theme.
    """
    figure = go.Figure()
    costs: list[float] = []
    for place, (name, snapshot) in enumerate(studies.items()):
        points = points_of(
            snapshot.found, axis, snapshot.several, min_accuracy=snapshot.study.min_accuracy
        )
        if points.front:
            costs += [float(points.x[i]) for i in points.front]
            figure.add_trace(_front(name, place, points, snapshot.noise, palette))
    families = {t.family for snapshot in studies.values() for t in snapshot.found if t.cost(axis)}
    if len(families) > 1:
        _explain_symbols(figure, [name for name in FAMILIES if name in families], palette)
    dress(figure, height=480, x=axis.title, y="Validation accuracy (%)", palette=palette)
    log_axis(figure, costs)
    figure.update_layout(hovermode="closest", showlegend=True)  # one study alone has a name too
    return figure


def _front(name: str, place: int, points: Points, noise: Noise, palette: Palette) -> go.Scatter:
    members = points.front
    trials = [points.trials[i] for i in members]
    line = line_of_study(place, palette)
    return go.Scatter(
        x=points.x[members],
        y=100 * points.accuracy[members],
        name=for_plotly(name),
        mode="lines+markers",
        line=line | {"shape": "hv"},
        marker={"size": 9, "color": line["color"], "symbol": [_symbol(t.family) for t in trials]},
        customdata=[
            [
                for_plotly(f"{name}, trial {t.number}"),
                with_arm(t.accuracy, noise.half_width(t)),
                for_plotly(points.axis.shortly(float(points.x[i]))),
            ]
            for i, t in zip(members, trials, strict=True)
        ],
        hovertext=[for_plotly(t.label) for t in trials],
        hovertemplate="<b>%{customdata[0]}</b><br>%{hovertext}<br>%{customdata[1]}<br>"
        "%{customdata[2]}<extra></extra>",
    )


def _explain_symbols(figure: go.Figure, families: Sequence[str], palette: Palette) -> None:
    """A line of the legend for each family."""
    for name in families:
        figure.add_trace(
            go.Scatter(
                x=[None],
                y=[None],
                name=for_plotly(find_family(name).label),
                mode="markers",
                marker={"size": 9, "color": palette.muted, "symbol": _symbol(name)},
            )
        )


def _symbol(family: str) -> str:
    return _SYMBOLS[list(FAMILIES).index(family) % len(_SYMBOLS)]


def line_of_study(place: int, palette: Palette) -> dict[str, Any]:
    """Of the study at that place: its own colour, or where these run out another dash."""
    again, color = divmod(place, len(palette.several))
    return {
        "color": palette.several[color],
        "dash": _DASHES[again % len(_DASHES)],
        "width": 2,
    }
