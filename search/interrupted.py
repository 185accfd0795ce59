"""How a command that trains ends when it is interrupted: what to type next, and the exit code."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer
from rich.console import Console

from runs.storage import without_password
from search.report.lines import print_line
from search.spec.warm_start import EarlierStudy
from search.study.stop_signals import Terminated


@contextmanager
def goes_on_with_the_same_command(console: Console, module: str) -> Iterator[None]:
    """Says how to go on, should the block be interrupted.

    Raises:
        typer.Exit: 130 after Ctrl-C, 143 after SIGTERM.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        print_line(console, f"Go on with the same command: {same_command(module, sys.argv[1:])}")
        raise typer.Exit(143 if isinstance(stop, Terminated) else 130) from None


def same_command(module: str, argv: Sequence[str]) -> str:
    """What was typed, as it may be printed."""
    shown = ["python", "-m", module]
    for word in argv:
        option, equals, value = word.partition("=")
        if shown[-1] == "--storage":
            word = without_password(word)
        elif option == "--storage" and equals:
            word = f"--storage={without_password(value)}"
        elif shown[-1] == "--warm-start":
            word = str(EarlierStudy.parse(word))
        elif option == "--warm-start" and equals:
            word = f"--warm-start={EarlierStudy.parse(value)}"
        shown.append(word)
    return shlex.join(shown)
