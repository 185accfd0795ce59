"""Colours are seen on the background they are drawn on, in both themes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import runs.plot
from dashboard.__main__ import _options
from runs.plot.contrast import MARK, TEXT, contrast, faded, mix, readable
from runs.plot.palette import DARK, LIGHT, Palette
from space.families import FAMILIES

THEMES = pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
STRANGERS = ["#FFFF00", "#000080", "#777777", "#FFFFFF", "#000000", "#0E1117", "#D55E00"]
"""What families of other packages may bring."""


def test_contrast_is_that_of_wcag() -> None:
    """By the formula of its definition of contrast ratio; #767676 is the well-known limit."""
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#123456", "#123456") == 1
    assert contrast("#767676", "#FFFFFF") == pytest.approx(4.54, abs=0.005)
    assert contrast("#FFFFFF", "#FF0000") == pytest.approx(4.00, abs=0.005)


@THEMES
def test_lines_and_text_have_four_and_a_half_to_one(palette: Palette) -> None:
    families = [palette.family(name) for name in FAMILIES]
    drawn = [palette.text, palette.muted, palette.search, *palette.several]
    for color in [*drawn, *palette.states.values(), *families]:
        assert contrast(color, palette.background) >= TEXT


@THEMES
def test_bars_clouds_and_crosses_have_three_to_one(palette: Palette) -> None:
    tones = [palette.tone(palette.family(name)) for name in FAMILIES]
    for color in [*palette.parts, *tones]:
        assert contrast(color, palette.background) >= MARK


@THEMES
@pytest.mark.parametrize("color", STRANGERS)
def test_any_colour_of_a_family_becomes_readable(palette: Palette, color: str) -> None:
    assert contrast(palette.line(color), palette.background) >= TEXT
    tone = palette.tone(palette.line(color))
    assert MARK <= contrast(tone, palette.background) < TEXT


@THEMES
def test_colours_stay_apart(palette: Palette) -> None:
    for colors in (palette.several, palette.parts, list(palette.states.values())):
        assert len(set(colors)) == len(colors)


def test_what_is_readable_stays_as_it_is() -> None:
    assert LIGHT.line("#0072B2") == "#0072B2"
    assert readable("#0072B2", DARK.background, TEXT) != "#0072B2"
    assert faded("#888888", "#FFFFFF", TEXT) == readable("#888888", "#FFFFFF", TEXT)


def test_figures_lie_on_the_background_of_the_page() -> None:
    options = _options("127.0.0.1", 8501, [], headless=True)
    for name, palette in (("light", LIGHT), ("dark", DARK)):
        assert options[f"theme.{name}.backgroundColor"] == palette.background


def test_mixing_is_what_opacity_does() -> None:
    assert mix("#000000", "#FFFFFF", 0.25) == "#404040"


def test_figures_have_no_colour_but_the_palettes() -> None:
    folder = Path(runs.plot.__file__).parent
    named = {
        path.name
        for path in folder.glob("*.py")
        if re.search(r'"#[0-9A-Fa-f]{3,8}"', path.read_text())
    }
    assert named == {"contrast.py", "palette.py"}


@pytest.mark.parametrize(("theme", "expected"), [("dark", DARK), ("light", LIGHT), (None, LIGHT)])
def test_the_page_takes_the_palette_of_the_visitors_theme(
    theme: str | None, expected: Palette, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(field: str) -> Any:
        return theme if field == "color_scheme" else None

    monkeypatch.setattr("streamlit.runtime.context._context_info_field", asked)

    def page() -> None:
        import streamlit as st

        from dashboard.theme import palette

        st.text(palette().background)

    [text] = AppTest.from_function(page).run().text
    assert text.value == expected.background
