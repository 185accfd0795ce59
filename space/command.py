"""How a command of ours ends: exit codes, and a sentence where the user can mend something."""

from __future__ import annotations

import json
import sys
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from typing import Annotated, Any

import pydantic
import typer

from space.errors import MixerSearchError, explain_one

_UsageError: type[Any] = typer.BadParameter.__mro__[1]  # of Typer's Click, which names it nowhere


_MOST_COLUMNS = 100
"""Of a help text: it fits a narrower terminal, and stays readable in a wider one."""


def make_app(**settings: Any) -> typer.Typer:
    """An app in plain words: no shell completion, no decorated tracebacks, no markup.

    Args:
        settings: further ones of `typer.Typer`.
    """
    return typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"max_content_width": _MOST_COLUMNS},
        **settings,
    )


def program_version() -> str:
    """Of this program as it is installed; `unknown` where it is not."""
    try:
        return version_of("mixer-search")
    except PackageNotFoundError:
        return "unknown"


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"mixer-search {program_version()}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option(
        "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
    ),
]
"""An option of every command."""

Json = Annotated[
    bool,
    typer.Option(
        "--json", help="Print the result as JSON and nothing else on stdout (progress: stderr)."
    ),
]
"""An option of every command that reports."""


def print_json(facts: Any) -> None:
    """The result of a command, for a program to read: keys in snake case, units in their names.

    Raises:
        ValueError: a number that JSON has no word for.
    """
    print(json.dumps(facts, indent=2, allow_nan=False))


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
        code = app(args=argv, prog_name=prog_name, standalone_mode=False)
    except MixerSearchError as error:
        print(f"error: {visible(str(error))}", file=sys.stderr)
        return 2
    except _UsageError as error:
        print(visible(_what_is_wrong(error, prog_name)), file=sys.stderr)
        return 2
    except typer.Abort:  # what older ones make of Ctrl-C
        return 130
    except SystemExit as stop:  # how Click ends
        code = stop.code
    return code if isinstance(code, int) else 0


def _what_is_wrong(error: Any, prog_name: str) -> str:
    """What Typer says of a command line that cannot be, as a sentence of ours; or the help."""
    said = str(error.format_message())
    if said.startswith("Usage:"):  # nothing was asked for
        return said
    if isinstance(error.__cause__, pydantic.ValidationError):
        return f"error: {explain_one(error.__cause__.errors()[0], error.param.opts[0])}"
    command = error.ctx.command_path if error.ctx else prog_name
    return f"error: {said[:1].lower()}{said[1:].rstrip('.')}; see {command} --help"
