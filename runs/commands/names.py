"""What the verbs name: a study, a trial, and a database that is there."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from runs.storage import StorageError, exists, parse_storage
from runs.writer import Writer, open_writer
from space.command import visible
from space.wrapped import wrapped

Study = Annotated[str, typer.Argument(help="The study's name.", metavar="STUDY")]


@contextmanager
def open_existing(storage: str | None) -> Iterator[Writer]:
    """As `open_writer`, of a database that is there: a misspelt one is not made.

    Raises:
        StorageError: it is not there, is not ours, or cannot be written.
    """
    url = parse_storage(storage)
    if url.get_backend_name() == "sqlite" and not exists(Path(str(url.database))):
        raise StorageError(
            f"storage {url.database} does not exist; name the database with --storage"
        )
    with open_writer(storage, say) as store:
        yield store


def say(sentence: str) -> None:
    """On stderr, so that what a program reads is the result alone."""
    print(visible(sentence), file=sys.stderr, flush=True)


def tell(line: str) -> None:
    """On stdout; a terminal breaks it between words."""
    told = visible(line)
    if sys.stdout.isatty():
        told = wrapped(told, shutil.get_terminal_size().columns)
    print(told)
