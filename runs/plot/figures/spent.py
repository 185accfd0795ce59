"""The compute that each family got, as bars."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from runs.plot.figures.axes import dress, for_plotly
from runs.plot.palette import LIGHT, Palette
from runs.record import Origin
from runs.spent import Spent
from space.families import find_family
from space.quantities import counted, format_count, format_seconds, unit_of

WORDS = {
    Origin.SEARCH: "search",
    Origin.BASELINE: "baselines",
    Origin.CONFIRMATION: "fresh seeds",
    Origin.FINETUNE: "fine-tuning",
}
_OPACITY = {
    Origin.SEARCH: 1.0,
    Origin.BASELINE: 0.3,
    Origin.CONFIRMATION: 0.6,
    Origin.FINETUNE: 1.0,
}
_HEIGHT = 44
"""Pixels of a bar."""


def spent_figure(spent: Sequence[Spent], *, palette: Palette = LIGHT) -> go.Figure:
    """A bar a family, in parts by what the trainings were for; of at least one entry."""
    unit, scale = unit_of(max(_total(spent, one.family) for one in spent))
    figure = go.Figure()
    for origin in dict.fromkeys(one.origin for one in spent):
        parts = [one for one in spent if one.origin is origin]
        figure.add_trace(
            go.Bar(
                x=[one.training_flops / scale for one in parts],
                y=[for_plotly(find_family(one.family).label) for one in parts],
                orientation="h",
                name=WORDS[origin],
                text=[WORDS[origin]] * len(parts),
                textposition="inside",
                insidetextanchor="start",
                textangle=0,
                insidetextfont={
                    "color": palette.background if _OPACITY[origin] == 1 else palette.text
                },
                marker={
                    "color": [palette.family(one.family) for one in parts],
                    "opacity": _OPACITY[origin],
                },
                customdata=[
                    [
                        counted(one.trials, "trial"),
                        format_count(one.training_flops),
                        format_seconds(one.device_seconds),
                    ]
                    for one in parts
                ],
                hovertemplate="%{y}, " + WORDS[origin] + ": %{customdata[1]} training FLOPs<br>"
                "%{customdata[0]}, %{customdata[2]} on a device<extra></extra>",
            )
        )
    families = len({one.family for one in spent})
    title = f"Training FLOPs ({unit}FLOPs)"
    dress(figure, height=80 + _HEIGHT * families, x=title, y="", palette=palette)
    figure.update_layout(barmode="stack", showlegend=False, margin={"t": 10})
    figure.update_yaxes(autorange="reversed", ticksuffix="  ")
    return figure


def _total(spent: Sequence[Spent], family: str) -> float:
    return sum(one.training_flops for one in spent if one.family == family)
