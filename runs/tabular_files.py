"""Tables as files: CSV, Parquet or JSON, by the ending of the name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING

from runs.storage import StorageError
from space.whole_file import whole_file

if TYPE_CHECKING:
    import pandas as pd

KINDS: Mapping[str, Callable[[pd.DataFrame, IO[bytes]], object]] = {
    ".csv": lambda frame, file: frame.to_csv(file, index=False),
    ".parquet": lambda frame, file: frame.to_parquet(file, index=False),
    ".json": lambda frame, file: frame.to_json(
        file, orient="records", date_format="iso", date_unit="us", indent=1, double_precision=15
    ),
}
"""Writers by ending; JSON is a list of objects, null where there is no value."""


def check_kind(out: Path) -> None:
    """Looks whether a table can be written under that name.

    Raises:
        StorageError: it has another ending.
    """
    if out.suffix.lower() not in KINDS:
        raise StorageError(
            f"--out {out}: only .csv, .parquet and .json are written; choose one of them"
        )


def write_table(frame: pd.DataFrame, out: Path) -> None:
    """Writes a table, whole or not at all; a folder that is missing is made.

    Raises:
        StorageError: it has another ending, or cannot be written there.
    """
    check_kind(out)
    try:
        with whole_file(out) as file:
            KINDS[out.suffix.lower()](frame, file)
    except OSError as error:
        raise StorageError(
            f"--out {out} cannot be written ({error.strerror or error}); name another file"
        ) from None
