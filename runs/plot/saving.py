"""A figure as a file: PNG, SVG or PDF for a paper, HTML to look around in."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import plotly.graph_objects as go
from plotly.io.json import to_json_plotly
from plotly.offline import get_plotlyjs

from space.errors import MixerSearchError
from space.paths import as_path
from space.whole_file import whole_file

IMAGES = (".png", ".svg", ".pdf")
KINDS = (*IMAGES, ".html")

CONFIG = {"displaylogo": False, "responsive": True}
"""Of Plotly in a file of its own."""


class FigureError(MixerSearchError):
    """A figure cannot be saved so: no such kind of file, or what makes it is not installed."""


def save(
    figure: go.Figure,
    file: str | Path,
    *,
    width: int = 900,
    height: int | None = None,
    scale: float = 2.0,
) -> Path:
    """Writes a figure to a file, whole or not at all.

    Args:
        figure: of one of the functions here, or any other of Plotly's.
        file: ends with `.png`, `.svg` or `.pdf`, which take the extra `figures` and a Chrome or
            Chromium; or with `.html`: one file that opens offline.
        width: in pixels; HTML is as wide as its window.
        height: in pixels; by default the figure's own.
        scale: pixels of a PNG for every pixel.

    Returns:
        The file.

    Raises:
        FigureError: another kind of file, it cannot be written, or what makes it is not installed.
    """
    path = as_path(file)
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise FigureError(
            f"{path} is none of the files a figure can be; end its name with {_either(KINDS)}"
        )
    if kind == ".html":
        data = figure.to_html(include_plotlyjs=True, config=CONFIG).encode()
    else:
        data = _image(figure, path, kind[1:], width, height, scale)
    try:
        with whole_file(path) as out:
            out.write(data)
    except OSError as error:
        raise FigureError(
            f"{path} cannot be written ({error.strerror or error}); name another file"
        ) from None
    return path


def plotly_js() -> str:
    """The script that draws figures, as it is packed with Plotly: 4.8 MB."""
    return str(get_plotlyjs())


def figure_json(figure: go.Figure) -> str:
    """The figure as JSON that may stand in HTML: `<`, `>` and `/` are escaped."""
    return str(to_json_plotly(figure))


def _image(
    figure: go.Figure, path: Path, kind: str, width: int, height: int | None, scale: float
) -> bytes:
    if importlib.util.find_spec("kaleido") is None:
        raise FigureError(
            f"{path} is made by kaleido, which is not installed; install it with "
            "pip install 'mixer-search[figures]', or name an .html file"
        )
    from kaleido.errors import ChromeNotFoundError

    try:
        image: bytes = figure.to_image(format=kind, width=width, height=height, scale=scale)
    except (ChromeNotFoundError, RuntimeError) as error:
        if not isinstance(error, ChromeNotFoundError) and "Chrome" not in str(error):
            raise
        raise FigureError(
            f"{path} is drawn by a browser, and there is no Chrome or Chromium here; install one "
            "(plotly_get_chrome, or the Debian package chromium), name it in BROWSER_PATH, or name "
            "an .html file"
        ) from None
    return image


def _either(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
