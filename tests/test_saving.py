"""A figure as a file."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

import plotly.graph_objects as go
import pytest
from PIL import Image

import runs.plot
from runs.plot.saving import FigureError, figure_json

needs_browser = pytest.mark.skipif(
    shutil.which("chromium") is None or importlib.util.find_spec("kaleido") is None,
    reason="images are drawn by kaleido in a Chromium",
)


@pytest.fixture
def figure() -> go.Figure:
    return go.Figure(go.Scatter(x=[1, 2], y=[3, 4], name="a line"), {"height": 200})


@pytest.mark.slow
@needs_browser
def test_a_png_has_its_size_and_an_svg_is_one(figure: go.Figure, tmp_path: Path) -> None:
    png = runs.plot.save(figure, tmp_path / "front.png", width=300, scale=2)
    with Image.open(png) as image:
        assert image.size == (600, 400)
    svg = runs.plot.save(figure, tmp_path / "new" / "front.svg")
    assert svg.read_text().startswith("<svg")


@needs_browser
def test_without_a_browser_a_sentence_says_so(
    figure: go.Figure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "none"))
    with pytest.raises(FigureError, match="there is no Chrome or Chromium here; install one"):
        runs.plot.save(figure, tmp_path / "front.png")
    assert not list(tmp_path.iterdir())


def test_without_the_extra_a_sentence_names_it(
    figure: go.Figure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kaleido", None)  # as where it is not installed
    with pytest.raises(FigureError, match=r"pip install 'mixer-search\[figures\]'"):
        runs.plot.save(figure, tmp_path / "front.svg")


def test_an_html_file_opens_offline(figure: go.Figure, tmp_path: Path) -> None:
    page = runs.plot.save(figure, tmp_path / "front.html").read_text()
    assert "a line" in page
    assert "<script src=" not in page


def test_another_kind_of_file_gets_a_sentence(figure: go.Figure, tmp_path: Path) -> None:
    with pytest.raises(FigureError, match=r"end its name with \.png, \.svg, \.pdf or \.html"):
        runs.plot.save(figure, tmp_path / "front.gif")


def test_a_file_that_cannot_be_written_gets_a_sentence(figure: go.Figure, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(FigureError, match="cannot be written"):
        runs.plot.save(figure, tmp_path / "taken" / "front.html")


def test_a_figure_in_html_ends_no_script() -> None:
    name = "</script><script>alert(1)</script>"
    assert "<" not in figure_json(go.Figure(go.Scatter(x=[1], y=[1], name=name)))
