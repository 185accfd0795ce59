"""Tables of other programs in our database, and ours in theirs."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from runs.schema import VERSION_TABLE
from runs.storage import SQLITE_MAGIC, StorageError, describe, engine_for, parse_storage, reason
from runs.tables import StudyRow

_OF_OPTUNA = {"studies", "study_directions", "trials", "trial_values"}
"""Some of the dozen that Optuna makes in any database it is pointed at, without a word."""


def foreign_tables(storage: str | None) -> str | None:
    """A sentence on what another program has made in a database of ours; None where nothing.

    Nothing of ours is lost by it: every name of ours begins with `run_`.

    Raises:
        StorageError: the database does not answer.
    """
    names = _tables(storage)
    if not names >= _OF_OPTUNA:
        return None
    return (
        f"Optuna was pointed at {describe(parse_storage(storage))} and has made tables of "
        "its own there, which hold none of these studies; they do no harm. It reads a copy: "
        "python -m search.to_optuna --study NAME --out sqlite:///optuna.db"
    )


def holds_ours(storage: str) -> bool:
    """Whether a database, which need not be there, is one of ours.

    Raises:
        StorageError: it cannot be told: no database, or it does not answer.
    """
    return not {VERSION_TABLE, StudyRow.__tablename__}.isdisjoint(_tables(storage))


def _tables(storage: str | None) -> set[str]:
    """Names of all tables; none of a file that is not there, or empty."""
    url = parse_storage(storage)
    if url.get_backend_name() == "sqlite":
        path = Path(str(url.database))
        if not path.exists() or not path.stat().st_size:
            return set()
        with path.open("rb") as file:
            if file.read(len(SQLITE_MAGIC)) != SQLITE_MAGIC:
                raise StorageError(f"{path} is not a SQLite database; name another file")
    engine = engine_for(url, read_only=True)
    try:
        with engine.connect() as connection:
            return set(sa.inspect(connection).get_table_names())
    except (sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
        raise StorageError(f"storage {describe(url)}: {reason(error)}") from error
    finally:
        engine.dispose()
