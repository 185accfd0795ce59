"""What all figures share: axes of counts, margins, strangers' text."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

import plotly.graph_objects as go

from runs.plot.palette import Palette
from space.quantities import format_count

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
    ends = middle - half, middle + half
    ticks = log_ticks([10**end for end in ends])
    figure.update_xaxes(
        type="log", range=ends, tickvals=ticks, ticktext=[format_count(t) for t in ticks]
    )


def log_ticks(values: Sequence[float]) -> list[float]:
    """1, 2 and 5 of every decade from below the least value to above the greatest.

    Plotly's own labels say `5` for 500 k and 5 M alike.
    """
    if not values:
        return []
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return [digit * 10.0**decade for decade in range(low, high + 1) for digit in (1, 2, 5)]


def for_plotly(text: str) -> str:
    """Text that Plotly shows as it is: it would obey `<b>` and `<a href>`."""
    return html.escape(text, quote=False)
