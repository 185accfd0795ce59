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
from space.errors import MixerSearchError
from space.wrapped import wrapped

Study = Annotated[str, typer.Argument(help="The study's name.", metavar="STUDY")]

StudyWord = Annotated[
    str | None, typer.Argument(help="The study's name.", metavar="STUDY", show_default=False)
]
StudyFlag = Annotated[
    str | None,
    typer.Option("--study", help="The same, by an option.", metavar="NAME", show_default=False),
]
"""Of a verb that takes either; `named` tells which was given."""


class StudyNameError(MixerSearchError):
    """No study is named, or two are."""


def named(word: str | None, flag: str | None) -> str:
    """The study that a verb is for.

    Raises:
        StudyNameError: none is named, or two different ones are.
    """
    if word is not None and flag is not None and word != flag:
        raise StudyNameError(f"studies {word!r} and {flag!r} are named; name one of them")
    name = word if flag is None else flag
    if name is None:
        raise StudyNameError("no study is named; `python -m runs list` shows which there are")
    return name


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
