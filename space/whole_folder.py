"""Folders that are whole or as they were before."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # of <fcntl.h> and <linux/fs.h>


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """An empty folder to fill, which takes its name when the block ends.

    A process that is killed, or a full disk, leaves under the name what was there before: nothing,
    or the whole folder that is to be replaced. The two change places in one step, and the old one
    is removed. A killed process leaves `.NAME.LETTERS.tmp` beside it, which the next call removes.

    Args:
        path: its name; a link to a folder stays one. Folders above it are made.

    Raises:
        OSError: it cannot be written; or a folder with something in it is there, and the system
            cannot exchange the two (it is no Linux, or a network file system).
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    unfinished, lock = _locked_folder(path)
    try:
        yield unfinished
        for folder, _, files in os.walk(unfinished):
            for name in (*files, ""):
                _sync(Path(folder, name))
        try:
            os.rename(unfinished, path)  # nothing is there, or an empty folder
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                raise
            _exchange(unfinished, path)
        _sync(path.parent)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)  # or what was there before
        os.close(lock)


def _locked_folder(path: Path) -> tuple[Path, int]:
    """A new folder beside a path, and a lock on it that ends with this process."""
    while True:
        folder = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        folder.mkdir()
        lock = os.open(folder, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return folder, lock
        os.close(lock)  # another call took it for a leftover before it was locked


def _remove_leftovers(path: Path) -> None:
    """Removes folders of processes that were killed: those that nobody has locked."""
    name = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{8}}\.tmp")
    for folder in [found for found in path.parent.iterdir() if name.fullmatch(found.name)]:
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:  # another call has removed it, or it is not ours
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # of a process that is at it
            continue
        finally:
            os.close(lock)


def _sync(path: Path) -> None:
    """Sees that a file, or which files a folder has, survives a power cut."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _exchange(one: Path, other: Path) -> None:
    """Two folders change names in one step: Python has no name for what Linux has.

    With two renames, a process killed between them would leave nothing under the name.

    Raises:
        OSError: they cannot.
    """
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        number = errno.ENOSYS
    elif renameat2(_AT_FDCWD, bytes(one), _AT_FDCWD, bytes(other), _RENAME_EXCHANGE) == 0:
        return
    else:
        number = ctypes.get_errno()
    if number in {errno.ENOSYS, errno.EINVAL}:
        reason = "this system cannot exchange two folders in one step: move the old one away"
        raise OSError(number, reason, str(other))
    raise OSError(number, os.strerror(number), str(other))
