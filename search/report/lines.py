"""Lines for a terminal: broken between words, never in one; elsewhere a line is a line."""

from __future__ import annotations

import re
import textwrap

from rich.console import Console
from rich.text import Text

from space.command import visible

_GLUE = "\N{NO-BREAK SPACE}"
_COMMAND = re.compile(r"(next|.* command): python -m ")
_OF_A_NUMBER = re.compile(r"(?<=\d) (?=[^\s\d(])")
"""Between a number and its unit, and in a network's label."""


def print_line(console: Console, line: str) -> None:
    """A line as it is, broken where a terminal is narrower; what that would obey is shown."""
    told = visible(line)
    if console.is_terminal:
        told = wrapped(told, console.width)
    console.print(Text(told), soft_wrap=True)


def wrapped(line: str, width: int) -> str:
    """A line broken between words where it has more characters; what follows is indented.

    A number keeps its unit. A command ends its broken lines as a shell continues them, so that it
    can be copied. Only a word that is longer than the width stays so.
    """
    if len(line) <= width:
        return line
    is_command = bool(_COMMAND.match(line))
    glued = re.sub(r"'[^']*'", lambda quoted: quoted[0].replace(" ", _GLUE), line)
    glued = glued if is_command else _OF_A_NUMBER.sub(_GLUE, glued)
    parts = textwrap.wrap(
        glued,
        width - 2 * is_command,
        subsequent_indent="    " if is_command else "  ",
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )
    return (" \\\n" if is_command else "\n").join(parts).replace(_GLUE, " ")
