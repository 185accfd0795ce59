"""Colours of figures, a palette a theme of the page.

They are Okabe and Ito's (2008), which the colour-blind can tell apart, made lighter or darker where
they would not be seen on the background (`runs.plot.contrast`). Each has one meaning on every page,
and a family brings its own: one colour, which each palette makes readable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from runs.plot.contrast import MARK, TEXT, faded, readable
from runs.record import State
from space.families import find_family

_BLUE, _SKY, _GREEN, _YELLOW = "#0072B2", "#56B4E9", "#009E73", "#F0E442"
_ORANGE, _VERMILION, _PURPLE, _GREY = "#E69F00", "#D55E00", "#CC79A7", "#888888"

SCALE = ("#00224E", "#3B496C", "#7C7B78", "#BCAF6F", "#FEE838")
"""Cividis: even steps for all eyes, from dark blue to yellow."""


@dataclass(frozen=True, kw_only=True)
class Palette:
    """The colours of one theme."""

    background: str
    """What figures are drawn on: the page's own, so that there they show no edge, and elsewhere
    (a notebook of another theme, a PNG) their text can be read."""
    text: str
    grid: str
    """Behind everything; to be seen only when looked for."""

    def line(self, color: str) -> str:
        """A colour as lines, text and single points have it: contrast 4.5 : 1."""
        return readable(color, self.background, TEXT)

    def mark(self, color: str) -> str:
        """A colour as bars and other areas have it: contrast 3 : 1."""
        return readable(color, self.background, MARK)

    def tone(self, color: str) -> str:
        """A colour, faded as far as marks may be: of a cloud that lies behind something."""
        return faded(color, self.background, MARK)

    def family(self, name: str) -> str:
        """The colour of a family of networks.

        Raises:
            UnknownFamilyError: there is none of that name.
        """
        return self.line(find_family(name).color)

    @cached_property
    def muted(self) -> str:
        """Of what is no data: a limit, a rung, a border."""
        return self.line(_GREY)

    @cached_property
    def search(self) -> str:
        """Of what a search has achieved as a whole."""
        return self.line(_BLUE)

    @cached_property
    def states(self) -> Mapping[State, str]:
        """Of the states that trials end in, and of those that run."""
        colors = {
            State.COMPLETE: _GREEN,
            State.PRUNED: _ORANGE,
            State.REFUSED: _GREY,
            State.FAILED: _PURPLE,
            State.RUNNING: _SKY,
        }
        return {state: self.line(color) for state, color in colors.items()}

    @cached_property
    def parts(self) -> Sequence[str]:
        """Of the parts of a whole, in their order: bars that lie side by side."""
        return [self.mark(color) for color in (_SKY, _YELLOW, _GREY, _PURPLE, _GREEN, _ORANGE)]

    @cached_property
    def ends(self) -> tuple[str, str]:
        """Of the least and the greatest of what has a middle, which is the background."""
        return self.line(_VERMILION), self.line(_BLUE)

    @cached_property
    def several(self) -> Sequence[str]:
        """Of things that no colour of their own belongs to, such as studies side by side."""
        colors = (_BLUE, _VERMILION, _GREEN, _PURPLE, _ORANGE, _SKY, _GREY)
        return [self.line(color) for color in colors]


LIGHT = Palette(background="#FFFFFF", text="#2F2D2B", grid="#E7E6E3")
DARK = Palette(background="#171614", text="#F1F0EE", grid="#34322D")
"""Those of Streamlit's two themes; `python -m dashboard` sets the backgrounds to these."""
