"""What networks spend their FLOPs on, as a Plotly figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from runs.layer_parts import flops_by_part
from runs.plot.figures.axes import dress, for_plotly
from runs.plot.palette import LIGHT, Palette
from runs.record import TrialRecord
from space.quantities import format_count

_OUTSIDE = ("Stem", "Head")
"""Of the blocks: furthest from the axis."""

_MOST = 40
"""Bars of one figure."""
_TICKS = 20
"""Bars that are named at most; the others by hovering."""


def cost_shares_figure(trials: Sequence[TrialRecord], *, palette: Palette = LIGHT) -> go.Figure:
    """A bar a network, in the order given, of the share of its FLOPs that each part takes.

    Of many networks some are drawn, see `drawn`.

    Args:
        trials: such as a front, cheapest first.
        palette: of the page's theme.
    """
    trials = drawn(trials)
    flops = [flops_by_part(trial.config) for trial in trials]
    parts = list(dict.fromkeys(part for one in flops for part in one))
    parts.sort(key=lambda part: part in _OUTSIDE)
    places = list(range(len(trials)))  # two networks may have equally many FLOPs
    figure = go.Figure()
    for part, color in zip(parts, _colors(parts, palette), strict=True):
        figure.add_trace(
            go.Bar(
                x=places,
                y=[100 * one.get(part, 0) / t.flops for one, t in zip(flops, trials, strict=True)],
                customdata=[[t.number, for_plotly(t.label)] for t in trials],
                hovertemplate="<b>Trial %{customdata[0]}</b><br>%{customdata[1]}<br>"
                f"{for_plotly(part)}: %{{y:.1f}} %<extra></extra>",
                name=for_plotly(part),
                marker={"color": color},
            )
        )
    dress(figure, height=360, x="FLOPs of the network", y="Share of FLOPs (%)", palette=palette)
    figure.update_layout(barmode="stack", legend={"traceorder": "normal"}, bargap=0.15)
    step = -(-len(trials) // _TICKS)
    figure.update_xaxes(
        tickvals=places[::step], ticktext=[format_count(t.flops) for t in trials[::step]]
    )
    figure.update_yaxes(range=[0, 100])
    return figure


def drawn(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Those a figure has bars for, evenly spread: the first and the last are among them."""
    places = np.linspace(0, len(trials) - 1, min(len(trials), _MOST)).round().astype(int)
    return [trials[i] for i in places]


def drawn_sentence(trials: Sequence[TrialRecord]) -> str:
    """` 40 of 70 are drawn.` where not all are; else nothing."""
    shown = len(drawn(trials))
    return f" {shown:,} of {len(trials):,} are drawn." if shown < len(trials) else ""


def _colors(parts: Sequence[str], palette: Palette) -> list[str]:
    """Greys are what every network has; the parts of blocks have the colours of parts."""
    grey = dict(zip(_OUTSIDE, (palette.tone(palette.muted), palette.text), strict=True))
    inside = iter([*palette.parts[:2], *palette.parts[3:]])
    return [grey[part] if part in grey else next(inside, palette.muted) for part in parts]
