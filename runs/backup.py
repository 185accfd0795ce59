"""A copy of a SQLite file, made before its schema changes."""

from __future__ import annotations

import filecmp
import os
import sqlite3
import uuid
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from urllib.parse import quote

from runs.storage import StorageError


def back_up(file: Path, schema: str) -> Path:
    """Copies a database, as it was committed last, to a file beside it named after its schema.

    The copy appears under its name only when it is whole, and never takes the place of another:
    where one of the same content is there, that is the copy, else the name has a number.

    Raises:
        StorageError: the copy cannot be written.
    """
    unfinished = file.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with (
            closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(unfinished)) as target,
        ):
            source.backup(target)
        for number in count(1):
            copy = file.with_name(f"{file.name}.schema-{schema}" + f"-{number}" * (number > 1))
            with suppress(FileExistsError):
                os.link(unfinished, copy)
                return copy
            if copy.is_file() and filecmp.cmp(unfinished, copy, shallow=False):
                return copy
        raise AssertionError("there is no end of numbers")
    except (OSError, sqlite3.Error) as error:
        raise StorageError(
            f"storage {file} cannot be copied before its schema is upgraded ({error}); free some "
            "space in its folder, or make that writable: nothing was changed"
        ) from None
    finally:
        for suffix in ("", "-journal"):
            Path(f"{unfinished}{suffix}").unlink(missing_ok=True)
