"""Lines for a terminal: broken between words, never in one; elsewhere a line is a line."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from space.command import visible
from space.wrapped import wrapped


def print_line(console: Console, line: str) -> None:
    """A line as it is, broken where a terminal is narrower; what that would obey is shown."""
    told = visible(line)
    if console.is_terminal:
        told = wrapped(told, console.width)
    console.print(Text(told), soft_wrap=True)
