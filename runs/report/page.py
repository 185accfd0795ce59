"""What a report says as one HTML file: nothing is fetched, and no text of others is obeyed."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from runs.plot.saving import figure_json, plotly_js
from runs.report.cells import cells_of
from runs.report.section import Content
from runs.shown import moment
from space.command import program_version


def as_html(content: Content, now: datetime) -> str:
    """The page.

    A figure is data, JSON whose `<` and `/` are escaped, and two scripts run: Plotly, and the one
    that draws. The page's own policy lets neither others run nor anything be fetched.

    Args:
        content: what it says.
        now: when it is written.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    scripts = [plotly_js(), _read("draw.js")]
    return environment.from_string(_read("report.html")).render(
        content=content,
        cells_of=cells_of,
        json_of=lambda part: Markup(figure_json(part.figure)),
        style=Markup(_read("report.css")),
        plotly=Markup(scripts[0]),
        draw=Markup(scripts[1]),
        script_sources=Markup(" ".join(f"'sha256-{_sha256(script)}'" for script in scripts)),
        written=moment(now),
        version=program_version(),
    )


@cache
def _read(name: str) -> str:
    return files("runs.report").joinpath(name).read_text(encoding="utf-8")


def _sha256(script: str) -> str:
    """As a Content Security Policy names a script."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
