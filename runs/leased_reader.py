"""Transactions of a process that writes: under a lease, and while the database is away too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from runs.database_retry import DatabaseRetry
from runs.lease import Lease
from runs.reader import Reader, UnknownStudyError
from runs.storage import StorageError, identity
from runs.study_mirror import StudyMirror

T = TypeVar("T")

WAIT = "wait until that ends"
RENAME = f"{WAIT}, or start another study with --study-name"
"""What to do where another process runs a study."""


class LeasedReader(Reader):
    """Reads studies, and keeps other processes from writing to those that it holds.

    Raises:
        StorageError: the database file was removed, replaced or emptied, which SQLite does not
            notice.
    """

    def __init__(self, engine: sa.Engine, where: str, file: Path | None = None) -> None:
        super().__init__(engine, where)
        self._file = file
        self._opened = identity(file)
        self._lease: Lease | None = None
        self._retry = DatabaseRetry()
        self._mirror = StudyMirror()

    @contextmanager
    def hold(
        self,
        study: str,
        retry: DatabaseRetry | None = None,
        advice: str = RENAME,
    ) -> Iterator[StudyMirror]:
        """Holds a study while the block runs, which alone writes to it then.

        Args:
            study: its name.
            retry: how long a database that does not answer is waited for.
            advice: what to do where another process runs it.

        Yields:
            All that is known of the study, also what could not be written.

        Raises:
            StudyHeldError: another process runs it.
            LeaseLostError: another process took it over, because this one stood still.
        """
        retry = retry or DatabaseRetry()
        lease = Lease(self._session, study, retry.say, advice)
        self._lease, self._retry, self._mirror = lease, retry, StudyMirror()
        try:
            with suppress(UnknownStudyError):
                self._mirror.study = self.study(study)
                self._mirror.restart(self.trials(study), self.epochs(study))
                self._mirror.keep(self.kept_results(study))
            yield self._mirror
        finally:
            self._lease, self._retry = None, DatabaseRetry()
            lease.release()

    @property
    def mirror(self) -> StudyMirror:
        """All that is known of the study that is held, also what could not be written."""
        return self._mirror

    @contextmanager
    def leases(
        self, studies: Iterable[str], say: Callable[[str], None] = lambda sentence: None
    ) -> Iterator[list[Lease]]:
        """Keeps every other process from running these studies while the block runs.

        Args:
            studies: their names; they need not be there.
            say: told why one has to wait.

        Raises:
            StudyHeldError: another process runs one of them.
        """
        with ExitStack() as held:
            leases = []
            for name in studies:
                leases.append(Lease(self._session, name, say, WAIT))
                held.callback(leases[-1].release)
            yield leases

    def change(self, leases: Sequence[Lease], write: Callable[[Session], T]) -> T:
        """What `write` returns of one transaction on studies that are kept from others."""
        with self._session() as session:
            for lease in leases:
                lease.fence(session)
            return write(session)

    @contextmanager
    def _session(self) -> Iterator[Session]:
        if identity(self._file) != self._opened:
            raise StorageError(
                f"storage {self.where} was removed, replaced or emptied while it was written to; "
                "put the file back, with its -wal file, and start the search again"
            )
        with super()._session() as session:
            yield session

    def _read(self, read: Callable[[Session], T]) -> T:
        """Of a study that is held it is tried again while the database is away."""
        if self._lease is None:
            return super()._read(read)
        return self._retry.call(lambda: super(LeasedReader, self)._read(read))

    def _write(self, write: Callable[[Session], T]) -> T:
        """What `write` returns of a transaction that is committed once.

        Of a study that is held it is tried again while the database is away. The answer to a
        commit can be lost on the way: the next try then finds that transaction counted.
        """
        lease = self._lease
        if lease is None:
            with self._session() as session:
                return write(session)
        written: list[T] = []

        def attempt() -> T:
            with self._session() as session:
                if lease.fence(session):
                    written[:] = [write(session)]
            return written[0]

        answer = self._retry.call(attempt)
        lease.fencing_token += 1
        return answer
