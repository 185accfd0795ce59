"""What all figures share: axes of counts, margins, strangers' text."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from runs.plot.palette import Palette
from runs.points import Floats

_ROOM = 1.04
"""Of the axis to the greatest value: a curve would touch the frame."""

_TICKS_APART = 0.31
"""Decades: at so few a tick Plotly marks 1, 2 and 5 of each; at fewer every digit, which touch."""

_ROUND = [*range(1, 20), *range(20, 100, 5), *range(100, 1000, 50)]
_COUNTS_AS_WRITTEN = {
    "tickformat": "~s",
    "labelalias": {f"{n}{unit}": f"{n} {unit}" for unit in "kMGTPE" for n in _ROUND},
}
"""`500 k`, as `format_count` has it; between round numbers of a figure that was zoomed `1.25M`."""

MANY = 5_000
"""From so many points on a figure is drawn by the graphics card: SVG takes seconds."""


_FONT = '"Source Sans", "Source Sans Pro", "Segoe UI", Helvetica, Arial, sans-serif'


def dress(figure: go.Figure, *, height: int, x: str, y: str, palette: Palette) -> None:
    """What all figures share.

    The page, a notebook and a file show the same figure: the template is our own, not Streamlit's,
    and the background is opaque.
    """
    figure.update_layout(
        template=_template(palette),
        height=height,
        margin={"l": 10, "r": 10, "t": 40, "b": 10},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0.0},
        xaxis_title=x,
        yaxis_title=y,
    )


def _template(palette: Palette) -> go.layout.Template:
    axis = {"gridcolor": palette.grid, "zerolinecolor": palette.grid, "automargin": True}
    clear = "rgba(0, 0, 0, 0)"
    return go.layout.Template(
        layout={
            "font": {"family": _FONT, "color": palette.text, "size": 13},
            "paper_bgcolor": palette.background,
            "plot_bgcolor": palette.background,
            "colorway": list(palette.several),
            "xaxis": axis,
            "yaxis": axis,
            "legend": {"bgcolor": clear},
            "hoverlabel": {"bgcolor": palette.background, "font": {"color": palette.text}},
            "modebar": {"bgcolor": clear, "color": palette.muted, "activecolor": palette.text},
        }
    )


def log_axis(figure: go.Figure, values: Sequence[float]) -> None:
    """Makes the x-axis one of counts that shows the values, and a decade or more.

    Where no tick is within a narrower one, Plotly does not know where to put the title.
    """
    if not values:
        return
    low, high = math.log10(min(values)), math.log10(max(values))
    middle, half = (low + high) / 2, max(0.55 * (high - low), 0.5)
    ticks = max(3, int(2 * half / _TICKS_APART))
    figure.update_xaxes(
        type="log", range=[middle - half, middle + half], nticks=ticks, **_COUNTS_AS_WRITTEN
    )


def log_ticks(values: Sequence[float]) -> list[float]:
    """1, 2 and 5 of every decade from below the least value to above the greatest, for an axis
    that is none of Plotly's logarithmic ones."""
    if not values:
        return []
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return [digit * 10.0**decade for decade in range(low, high + 1) for digit in (1, 2, 5)]


def count_axis(axis: Any, values: Sequence[float] | Floats, *, whole: bool = False) -> None:
    """Makes an axis one of counts from 0 to a little more than the greatest of the values.

    Args:
        axis: of the layout of a figure.
        values: what is drawn along it; none, or only zeros, leave its end open.
        whole: there are no halves of them.
    """
    most = max(values, default=0)
    axis.update(rangemode="tozero", **_COUNTS_AS_WRITTEN)
    if most:
        axis.update(range=[0, most * _ROOM], dtick=1 if whole and most <= 10 else None)


def for_plotly(text: str) -> str:
    """Text that Plotly shows as it is: it would obey `<b>` and `<a href>`."""
    return html.escape(text, quote=False)
