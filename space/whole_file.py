"""Files that are whole or as they were before."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def whole_file(path: Path, *, sync: bool = False) -> Iterator[IO[bytes]]:
    """A file to write, which takes its name when the block ends: several processes may write it.

    A process that is killed, or a full disk, leaves what was there before.

    Args:
        path: its name; the folder is made where it is missing. What a killed process leaves there
            is called so too, with some letters and `.tmp` behind.
        sync: whether it lies on the disk before it takes its name, so that a power cut cannot
            leave an empty one.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(6)}.tmp")
    with unfinished.open("xb") as file:  # others may read it as the umask says, unlike a tempfile
        try:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
            os.replace(unfinished, path)
        except BaseException:
            os.unlink(unfinished)
            raise
