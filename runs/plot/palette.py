"""Colours of figures, a palette a theme of the page.

They are Okabe and Ito's (2008), which the colour-blind can tell apart. Each has one meaning on
every page, and a family brings its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runs.record import State
from space.families import find_family


@dataclass(frozen=True, kw_only=True)
class Palette:
    """The colours of one theme."""

    background: str
    """What figures lie on; they are transparent themselves."""
    text: str
    muted: str
    """Of what is no data: a limit, a rung, a border."""
    search: str
    """Of what a search has achieved as a whole."""
    states: Mapping[State, str]

    def family(self, name: str) -> str:
        """The colour of a family of networks."""
        return find_family(name).color


LIGHT = Palette(
    background="#FFFFFF",
    text="#31333F",
    muted="#888888",
    search="#0072B2",
    states={
        State.COMPLETE: "#009E73",
        State.PRUNED: "#E69F00",
        State.REFUSED: "#888888",
        State.FAILED: "#CC79A7",
    },
)
