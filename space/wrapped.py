"""Lines broken between words, for a terminal."""

from __future__ import annotations

import re
import textwrap

_GLUE = "\N{NO-BREAK SPACE}"
_COMMAND = re.compile(r"(next|.* command): python -m ")
_OF_A_NUMBER = re.compile(r"(?<=\d) (?=[^\s\d(])|(?<=±) ")
"""Between a number and its unit, and in a network's label."""


def wrapped(line: str, width: int) -> str:
    """A line broken between words where it has more characters; what follows is indented.

    A number keeps its unit. A command ends its broken lines as a shell continues them, so that it
    can be copied. Only a word that is longer than the width stays so.
    """
    if len(line) <= width:
        return line
    is_command = bool(_COMMAND.match(line))
    glued = re.sub(r"(?<!\w)'[^']*'", lambda quoted: quoted[0].replace(" ", _GLUE), line)
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
