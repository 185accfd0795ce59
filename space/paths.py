"""Paths as a person writes them."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryFile
from typing import overload


@overload
def as_path(given: str | Path) -> Path: ...
@overload
def as_path(given: str | Path | None) -> Path | None: ...
def as_path(given: str | Path | None) -> Path | None:
    """The path that is meant: a leading `~` or `~user` is a home folder; None where none is given.

    A shell replaces it only at the beginning of a word, not in `--out=~/x` nor in quotes. As in a
    shell it stays where there is no such user.
    """
    return None if given is None else Path(os.path.expanduser(given))


def make_writable(folder: Path, mode: int = 0o777) -> None:
    """Makes the folder where it is missing, and sees that files can be written to it.

    Raises:
        OSError: they cannot.
    """
    folder.mkdir(mode=mode, parents=True, exist_ok=True)
    TemporaryFile(dir=folder).close()
