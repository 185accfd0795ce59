"""Learnt weights as Plotly figures: a mosaic of small images, one trace each."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go
from plotly.utils import image_array_to_data_uri

from runs.learnt import Images, Tiles
from runs.plot.contrast import mix
from runs.plot.figures.axes import dress
from runs.plot.palette import LIGHT, Palette

_GAP = 1
"""Between tiles, in their own pixels."""
_LEAST_PIXELS = 160
"""A side of a coloured mosaic has so many or more: what draws it may smooth a smaller one."""
_GREY = 0.5
"""Of a weight of zero in a coloured tile, from 0, black, to 1, white."""


def tiles_figure(tiles: Tiles, *, height: int = 320, palette: Palette = LIGHT) -> go.Figure:
    """A mosaic of the tiles in their order, row by row.

    Numbers have a scale that diverges from the background at zero, coloured filters are shown as
    colours on grey.
    """
    figure = go.Figure(
        _colored(tiles, palette) if tiles.images.ndim == 4 else _heatmap(tiles, palette)
    )
    dress(figure, height=height, x="", y="", palette=palette)
    figure.update_layout(
        title={"text": tiles.title, "x": 0, "xanchor": "left", "font": {"size": 14}},
        margin={"l": 0, "r": 0, "t": 28, "b": 30},
        hovermode="closest",
        plot_bgcolor=palette.grid,  # between tiles, so that zeros at an edge are no gap
    )
    figure.update_xaxes(visible=False, constrain="domain")
    figure.update_yaxes(
        visible=False, constrain="domain", autorange="reversed", scaleanchor="x", scaleratio=1
    )
    return figure


def mosaic(images: Images, fill: float = math.nan) -> Images:
    """The tiles side by side in about a square, `fill` between them and after the last.

    Args:
        images: [tiles, height, width] or [tiles, height, width, 3].

    Returns:
        [rows, columns], or [rows, columns, 3].
    """
    count, height, width, *rest = images.shape
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    size = (rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, *rest)
    whole = np.full(size, fill, np.float32)
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        top, left = row * (height + _GAP), column * (width + _GAP)
        whole[top : top + height, left : left + width] = image
    return whole


def _heatmap(tiles: Tiles, palette: Palette) -> go.Heatmap:
    numbers = np.broadcast_to(tiles.numbers[:, None, None], tiles.images.shape)
    low, high = palette.ends
    return go.Heatmap(
        z=mosaic(tiles.images),
        zmin=-tiles.span,
        zmax=tiles.span,
        colorscale=[
            [0.0, low],
            [0.25, mix(low, palette.background, 0.5)],
            [0.5, palette.background],
            [0.75, mix(high, palette.background, 0.5)],
            [1.0, high],
        ],
        colorbar={
            "orientation": "h",
            "thickness": 8,
            "len": 0.7,
            "nticks": 5,
            "tickfont": {"size": 10},
            "y": -0.02,
            "yanchor": "top",
        },
        customdata=mosaic(numbers.astype(np.float32)),
        hovertemplate=f"{tiles.what} %{{customdata:.0f}}<br>%{{z:.3g}}<extra></extra>",
        hoverongaps=False,
    )


def _colored(tiles: Tiles, palette: Palette) -> go.Image:
    shades = np.clip(_GREY + tiles.images / (2 * tiles.span), 0.0, 1.0)
    whole = mosaic(shades)
    between = np.array([int(palette.grid[i : i + 2], 16) for i in (1, 3, 5)])
    pixels = np.where(np.isnan(whole), between, np.round(255 * whole)).astype(np.uint8)
    times = max(1, math.ceil(_LEAST_PIXELS / max(pixels.shape[:2])))
    pixels = pixels.repeat(times, axis=0).repeat(times, axis=1)
    return go.Image(
        source=image_array_to_data_uri(pixels, backend="pypng"),
        hoverinfo="skip",
    )
