"""A confirmation as figures: the fronts over fresh seeds, two families compared, what the search
owed to luck."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from runs.confirmation.families import FamilyDifference
from runs.confirmation.membership import Membership
from runs.confirmation.steps import choose
from runs.confirmed import Confirmed
from runs.confirmed_networks import is_baselines
from runs.plot.figures.axes import dress, for_plotly, log_axis
from runs.plot.palette import LIGHT, Palette
from runs.wording import percent
from space.quantities import counted

_SYMBOLS = {
    Membership.ON: "circle",
    Membership.UNDECIDED: "circle-open",
    Membership.OFF: "x-thin-open",
}
_BASELINE = {
    Membership.ON: "square",
    Membership.UNDECIDED: "square-open",
    Membership.OFF: "x-thin-open",
}
_ROW = 20
"""Pixels of a network in the figure of optimism."""

_HOVER = (
    "<b>Trial %{customdata[0]}</b><br>%{hovertext}<br>%{customdata[1]}<br>%{customdata[2]}"
    "<extra></extra>"
)


def confirmed_figure(
    found: Confirmed, *, chosen: int | None = None, palette: Palette = LIGHT
) -> go.Figure:
    """Accuracy over fresh seeds against cost, with intervals; every group's front a stair.

    The stair goes through what fresh validation chose; points are filled where a network is on the
    front, open where that is undecided, crosses where it is off. Points carry the number of the
    trial that is repeated first.

    Args:
        found: the confirmation.
        chosen: the number of the trial to put a ring around.
        palette: the colours.
    """
    figure = go.Figure()
    accuracy = np.array([one.value for one in found.accuracies])
    for group, members in found.members.items():
        color = palette.family(found.networks[members[0]].parent.family)
        is_baseline = is_baselines(group)
        steps = choose(found.validation.accuracy, found.costs, members)
        figure.add_trace(
            go.Scatter(
                x=[*steps.starts, max(found.costs.max(), steps.starts[-1])],
                y=100 * accuracy[[*steps.chosen, steps.chosen[-1]]],
                mode="lines",
                line={
                    "color": color,
                    "shape": "hv",
                    "width": 2,
                    "dash": "dot" if is_baseline else "solid",
                },
                name=group,
                legendgroup=group,
                showlegend=False,
                hoverinfo="skip",
            )
        )
        figure.add_trace(_networks(found, members, group, color, is_baseline=is_baseline))
    for i, network in enumerate(found.networks):
        if network.parent.number == chosen:
            figure.add_trace(
                go.Scatter(
                    x=[found.costs[i]],
                    y=[100 * accuracy[i]],
                    name=f"Trial {chosen}",
                    mode="markers",
                    hoverinfo="skip",
                    marker={"symbol": "circle-open", "size": 18, "color": palette.text},
                )
            )
    split = "Test" if found.is_tested else "Fresh validation"
    dress(figure, height=480, x=found.study.cost.title, y=f"{split} accuracy (%)", palette=palette)
    log_axis(figure, found.costs.tolist())
    figure.update_layout(hovermode="closest", dragmode="zoom")
    return figure


def difference_figure(
    found: Confirmed, difference: FamilyDifference, *, palette: Palette = LIGHT
) -> go.Figure:
    """What one family has over another at every cost, with its simultaneous band, on the x-axis of
    `confirmed_figure`."""
    one, other = map(for_plotly, difference.families)
    costs, value, low, high = difference.grid()
    figure = go.Figure()
    ends = {"mode": "lines", "line": {"width": 0, "shape": "hv", "color": palette.search}}
    figure.add_trace(go.Scatter(x=costs, y=100 * low, hoverinfo="skip", showlegend=False, **ends))
    figure.add_trace(
        go.Scatter(
            x=costs,
            y=100 * high,
            name=f"{100 * found.level:g} % band",
            hoverinfo="skip",
            fill="tonexty",
            fillcolor=_faint(palette.search),
            showlegend=False,
            **ends,
        )
    )
    figure.add_trace(
        go.Scatter(
            x=costs,
            y=100 * value,
            name=f"{one} less {other}",
            mode="lines",
            line={"color": palette.search, "width": 2, "shape": "hv"},
            showlegend=False,
            customdata=[
                [found.study.cost.shortly(c), f"{100 * a:+.2f} to {100 * b:+.2f}"]
                for c, a, b in zip(costs, low, high, strict=True)
            ],
            hovertemplate=f"At %{{customdata[0]}}: {one} less {other} %{{y:+.2f}} points<br>"
            "%{customdata[1]}<extra></extra>",
        )
    )
    figure.add_hline(y=0, line={"color": palette.muted, "width": 1})
    dress(figure, height=240, x=found.study.cost.title, y="Points", palette=palette)
    log_axis(figure, found.costs.tolist())
    _include_zero(figure, 100 * low, 100 * high)
    for text, y, anchor in ((f"{one} better", 1.0, "top"), (f"{other} better", 0.0, "bottom")):
        figure.add_annotation(
            text=text,
            x=0.0,
            y=y,
            xref="paper",
            yref="paper",
            xanchor="left",
            yanchor=anchor,
            xshift=6,
            showarrow=False,
            font={"color": palette.text},
        )
    figure.update_layout(hovermode="closest", margin={"t": 10})
    return figure


def optimism_figure(found: Confirmed, *, palette: Palette = LIGHT) -> go.Figure:
    """Of every network what the search saw (open) and what fresh seeds say (filled), both on
    validation; a line joins the two. The cheapest is at the top."""
    rows = [i for i, one in enumerate(found.optimism) if one is not None]
    names = [f"trial {found.networks[i].parent.number}" for i in rows]
    colors = [palette.family(found.networks[i].parent.family) for i in rows]
    seen = [100 * (found.networks[i].parent.accuracy or 0.0) for i in rows]
    fresh = [100 * float(found.validation.accuracy[i]) for i in rows]
    figure = go.Figure()
    for color in dict.fromkeys(colors):
        mine = [k for k, other in enumerate(colors) if other == color]
        figure.add_trace(
            go.Scatter(
                x=[x for k in mine for x in (seen[k], fresh[k], None)],
                y=[y for k in mine for y in (names[k], names[k], None)],
                mode="lines",
                line={"color": color, "width": 2},
                showlegend=False,
                hoverinfo="skip",
            )
        )
    said = [
        [
            found.networks[i].parent.number,
            f"{100 * one.value:+.2f} points",
            f"{100 * one.low:+.2f} to {100 * one.high:+.2f}",
        ]
        for i in rows
        if (one := found.optimism[i]) is not None
    ]
    for name, values, symbol in (("Search", seen, "circle-open"), ("Fresh seeds", fresh, "circle")):
        figure.add_trace(
            go.Scatter(
                x=values,
                y=names,
                name=name,
                mode="markers",
                marker={"color": colors, "symbol": symbol, "size": 9},
                customdata=said,
                hovertext=[for_plotly(found.networks[i].parent.label) for i in rows],
                hovertemplate="<b>Trial %{customdata[0]}</b><br>%{hovertext}<br>"
                f"{name}: %{{x:.2f}} %<br>search less fresh: %{{customdata[1]}} "
                "(%{customdata[2]})<extra></extra>",
            )
        )
    dress(figure, height=120 + _ROW * len(rows), x="Validation accuracy (%)", y="", palette=palette)
    figure.update_yaxes(
        categoryorder="array", categoryarray=names[::-1], tickmode="linear", showgrid=True
    )
    figure.update_layout(hovermode="closest")
    return figure


def _networks(
    found: Confirmed, members: Sequence[int], group: str, color: str, *, is_baseline: bool
) -> go.Scatter:
    intervals = [found.accuracies[i] for i in members]
    symbols = _BASELINE if is_baseline else _SYMBOLS
    return go.Scatter(
        x=found.costs[members],
        y=np.array([100 * one.value for one in intervals]),
        error_y={
            "array": np.array([100 * (one.high - one.value) for one in intervals]),
            "arrayminus": np.array([100 * (one.value - one.low) for one in intervals]),
            "thickness": 1,
            "width": 3,
        },
        name=for_plotly(group),
        legendgroup=group,
        mode="markers",
        marker={
            "color": color,
            "size": 9,
            "symbol": [symbols[found.memberships[i]] for i in members],
            "line": {"width": 2, "color": color},
        },
        customdata=[
            [found.networks[i].parent.number, _accuracy(found, i), _place(found, i)]
            for i in members
        ],
        hovertext=[for_plotly(found.networks[i].parent.label) for i in members],
        hovertemplate=_HOVER,
    )


def _accuracy(found: Confirmed, i: int) -> str:
    one = found.accuracies[i]
    seeds = counted(len(found.networks[i].trials), "seed")
    return f"{percent(one.value)} ({100 * one.low:.2f} to {100 * one.high:.2f}), {seeds}"


def _place(found: Confirmed, i: int) -> str:
    place = found.memberships[i]
    said = "undecided" if place is Membership.UNDECIDED else f"{place.value} the front"
    return f"{said}, support {found.support[i]:.2f}<br>{found.study.cost.shortly(found.costs[i])}"


def _include_zero(figure: go.Figure, low: np.ndarray, high: np.ndarray) -> None:
    """A y-axis with room for the words above and below, and with zero on it."""
    bottom, top = min(0.0, float(low.min())), max(0.0, float(high.max()))
    room = 0.25 * (top - bottom or 1.0)
    figure.update_yaxes(range=[bottom - room, top + room])


def _faint(color: str) -> str:
    """`#RRGGBB` as a colour that lets what is behind it through."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.2)"
