"""What SQLite itself finds wrong with a file; a server looks after its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.engine import URL

from runs.storage import StorageError, describe, engine_for, reason
from runs.tables import Base

_OF_A_ROW = re.compile("CHECK constraint failed|NULL value in")
"""What the integrity check says of content; the rest is about pages and indexes."""


def damaged_pages(url: URL) -> str | None:
    """What is wrong with pages or indexes, which hides what is in them; None if nothing is."""
    found = [line for line in _integrity(url) if not _OF_A_ROW.search(line)]
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    if not found:
        return None
    return f"the file's indexes or pages are damaged ({found[0]}{more}); restore it from a copy"


def damaged_rows(url: URL) -> list[str]:
    """Rows of our schema that a constraint forbids, or that refer to rows which are not there.

    SQLite's integrity check leaves CHECKs out where the file is opened read-only.
    """
    if url.get_backend_name() != "sqlite":
        return []
    found = [line for line in _integrity(url) if _OF_A_ROW.search(line)]
    with bare_connection(url) as connection:
        for table in Base.metadata.sorted_tables:
            for rule in table.constraints:
                if isinstance(rule, sa.CheckConstraint):
                    wrong = sa.select(sa.func.count()).select_from(table)
                    count = connection.scalar(wrong.where(sa.text(f"NOT ({rule.sqltext})")))
                    if count:
                        found.append(f"{count} rows of {table.name} are against {rule.name}")
        for child, row, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
            found.append(f"row {row} of {child} belongs to no row of {parent}")
    return found


def _integrity(url: URL) -> list[str]:
    if url.get_backend_name() != "sqlite":
        return []
    with bare_connection(url) as connection:
        try:
            lines = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
        except sa.exc.DatabaseError as error:
            lines = [str(error.orig)]
    return [line for line in map(str, lines) if line != "ok"]


@contextmanager
def bare_connection(url: URL) -> Iterator[sa.Connection]:
    """The database whatever its schema is, to be read.

    Raises:
        StorageError: in the database's own words.
    """
    engine = engine_for(url, read_only=True)
    try:
        with engine.connect() as connection:
            yield connection
    except (sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
        raise StorageError(f"storage {describe(url)}: {reason(error)}") from error
    finally:
        engine.dispose()
