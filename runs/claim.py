"""One writer: a study is run by one process at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from filelock import FileLock, Timeout

from runs.storage import StorageError, engine_for, parse_storage


class ClaimedError(StorageError):
    """Another process runs the study."""


@contextmanager
def claim(storage: str | None, study: str) -> Iterator[None]:
    """Holds the study while the block runs; the system lets go of it however the process ends.

    On SQLite a lock on a file beside the database, on PostgreSQL an advisory lock.

    Raises:
        ClaimedError: another process holds it.
        StorageError: the database is not there to be written.
    """
    url = parse_storage(storage)
    digest = hashlib.sha256(study.encode()).digest()
    if url.get_backend_name() == "sqlite":
        lock = FileLock(Path(f"{url.database}.{digest[:4].hex()}.lock"))
        try:
            with lock.acquire(blocking=False):
                yield
        except Timeout:
            raise _claimed(study) from None
        return
    engine = engine_for(url, read_only=False)
    try:
        with engine.connect() as connection:
            key = int.from_bytes(digest[:8], signed=True)
            if not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(key))):
                raise _claimed(study)
            connection.commit()  # the lock is the connection's, not the transaction's
            yield
    finally:
        engine.dispose()


def _claimed(study: str) -> ClaimedError:
    return ClaimedError(
        f"study {study!r} is being run by another process; wait until that ends, "
        "or start another study with --study-name"
    )
