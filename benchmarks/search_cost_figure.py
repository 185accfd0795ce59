"""Hypervolume against training compute: what `search_cost.py` draws of a table."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from course import Course
from measured import TARGET, Measured
from table import Floor

from space.errors import MixerSearchError

Floats = npt.NDArray[np.float64]

LINES: dict[str, dict[str, Any]] = {
    "random": {"color": "#999999", "width": 2},
    "cheapest first": {"color": "#F0E442", "width": 3},
    "NSGA-II": {"color": "#E69F00", "width": 2, "dash": "dash"},
    "TPE": {"color": "#0072B2", "width": 2},
    "TPE, our starts": {"color": "#56B4E9", "width": 2, "dash": "dash"},
    "GPSampler, our starts": {"color": "#CC79A7", "width": 2, "dash": "dash"},
    "BoTorch, our starts": {"color": "#D55E00", "width": 2},
    "ours, no rungs": {"color": "#000000", "width": 2, "dash": "dot"},
    "ours": {"color": "#009E73", "width": 3},
}
"""The methods that are drawn, in this order."""

CHROMIUM = shutil.which("chromium")


class NoBrowserError(MixerSearchError):
    """There is nothing to draw with."""


def check_browser() -> None:
    """Refuses where no figure can be drawn.

    Raises:
        NoBrowserError: there is no Chromium.
    """
    if CHROMIUM is None:
        raise NoBrowserError(
            "--figures: they are drawn with Chromium, which is not installed here; install the "
            "Debian package chromium, or leave --figures out"
        )


def quartiles(done: Sequence[Course], floor: Floor = "median") -> tuple[Floats, Floats]:
    """Training FLOPs, and the quartiles of the shares of the hypervolume: a row each.

    They end where half of the studies have ended: beyond, a median would be of none. A study that
    has reached the target counts as being there, however far beyond its last trial has taken it.
    """
    first = min(course.points[0].training_flops for course in done)
    ends = [course.points[-1].training_flops for course in done]
    flops = np.geomspace(first, np.quantile(ends, 0.5, method="higher"), 200)
    shares = [_shares(course, flops, floor) for course in done]
    return flops, np.quantile(shares, [0.25, 0.5, 0.75], axis=0)


def _shares(done: Course, flops: Floats, floor: Floor) -> Floats:
    spent = [0.0, *(p.training_flops for p in done.points)]
    shares = np.array([0.0, *(min(p.share(floor), TARGET) for p in done.points)])
    return shares[np.searchsorted(spent, flops, side="right") - 1]


def figure_of(table: Measured) -> go.Figure:
    """The median of the repeats and their quartiles."""
    bands, lines = [], []
    for name in [name for name in LINES if name in table.courses]:
        flops, (low, middle, high) = quartiles(table.courses[name])
        around = {"x": [*flops, *flops[::-1]], "y": [*high, *low[::-1]]}
        faint = {"fill": "toself", "fillcolor": LINES[name]["color"], "opacity": 0.12}
        bands.append(go.Scatter(**around, **faint, mode="none", showlegend=False))
        lines.append(go.Scatter(x=flops, y=middle, name=name, mode="lines", line=LINES[name]))
    figure = go.Figure([*bands, *lines])
    figure.add_hline(y=0.95, line={"width": 1, "dash": "dot"})
    figure.update_xaxes(type="log", title="Training FLOPs spent", exponentformat="power")
    figure.update_yaxes(
        title="Share of the hypervolume above the median accuracy", tickformat=".0%", range=[0, 1]
    )
    figure.update_layout(
        template="simple_white", width=900, height=520, margin_t=50, title=table.name
    )
    return figure


def write_png(figure: go.Figure, path: Path) -> None:
    """Draws with the browser the tests use."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 900, "height": 520}, device_scale_factor=2)
        page.set_content(figure.to_html(include_plotlyjs=True, full_html=True))
        page.wait_for_selector(".main-svg")
        page.screenshot(path=str(path))
        browser.close()
