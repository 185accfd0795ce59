"""The colours of figures in the visitor's theme."""

from __future__ import annotations

from runs.plot.palette import LIGHT, Palette


def palette() -> Palette:
    """The palette of the theme that the page is shown in."""
    return LIGHT
