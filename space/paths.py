"""Paths as a person writes them."""

from __future__ import annotations

import os
from pathlib import Path


def as_path(given: str | Path) -> Path:
    """The path that is meant: a leading `~` or `~user` is a home folder.

    A shell replaces it only at the beginning of a word, not in `--out=~/x` nor in quotes. As in a
    shell it stays where there is no such user.
    """
    return Path(os.path.expanduser(given))
