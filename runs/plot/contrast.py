"""How well a colour is seen on another: contrast as WCAG 2.2 defines it.

Colours are `#RRGGBB`. Text and lines want 4.5 : 1 (success criterion 1.4.3), marks 3 : 1 (1.4.11).
"""

from __future__ import annotations

TEXT = 4.5
"""Of text, and of lines, which are as thin."""
MARK = 3.0
"""Of anything larger that has to be seen."""

_STEPS = 64
_BLACK, _WHITE = "#000000", "#FFFFFF"


def contrast(color: str, background: str) -> float:
    """From 1, the same, to 21, black on white."""
    dark, light = sorted((luminance(color), luminance(background)))
    return (light + 0.05) / (dark + 0.05)


def luminance(color: str) -> float:
    """Relative luminance: 0 of black, 1 of white."""
    red, green, blue = (_linear(value / 255) for value in _channels(color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def mix(color: str, other: str, share: float) -> str:
    """The colour with a share in [0, 1] of another: what opacity makes of it, too."""
    pairs = zip(_channels(color), _channels(other), strict=True)
    return "#" + "".join(f"{round((1 - share) * a + share * b):02X}" for a, b in pairs)


def readable(color: str, background: str, least: float) -> str:
    """The colour, lightened on a dark background and darkened on a light one until it is seen.

    Args:
        color: given back as it is where its contrast suffices.
        background: what it lies on.
        least: contrast; no more than black or white has there.
    """
    end = max(_BLACK, _WHITE, key=lambda one: contrast(one, background))
    tried = (mix(color, end, step / _STEPS) for step in range(_STEPS + 1))
    return next((one for one in tried if contrast(one, background) >= least), end)


def faded(color: str, background: str, least: float) -> str:
    """The colour, mixed with the background as far as its contrast stays."""
    tried = (mix(color, background, step / _STEPS) for step in range(_STEPS, -1, -1))
    seen = (one for one in tried if contrast(one, background) >= least)
    return next(seen, readable(color, background, least))


def _channels(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)
