"""How a command of ours ends: exit codes, and a sentence where the user can mend something."""

from __future__ import annotations

import sys
from typing import Any

import typer

from space.errors import MixerSearchError


def make_app(**settings: Any) -> typer.Typer:
    """An app in plain words: no shell completion, no decorated tracebacks, no markup.

    Args:
        settings: further ones of `typer.Typer`.
    """
    return typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, **settings
    )


def visible(text: str) -> str:
    """Text as a terminal may be given it: a name, or a library's error, may hold anything."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def run_app(app: typer.Typer, argv: list[str] | None, prog_name: str) -> int:
    """Runs a Typer app.

    Returns:
        The exit code: 0; 2 for bad input, after its sentence on stderr; or what the command asked
        for with `typer.Exit`. An unexpected exception escapes with its traceback.
    """
    try:
        app(args=argv, prog_name=prog_name)
    except MixerSearchError as error:
        print(f"error: {visible(str(error))}", file=sys.stderr)
        return 2
    except SystemExit as stop:  # how Click ends
        return stop.code if isinstance(stop.code, int) else 0
    return 0
