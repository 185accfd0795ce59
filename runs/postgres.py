"""Connections to PostgreSQL that do not wait for ever for a server that has stopped answering."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg
import sqlalchemy as sa
from psycopg import waiting
from sqlalchemy.engine import URL

CONNECT_SECONDS = 5
WRITER_SECONDS = 10
READER_SECONDS = 60

AWAY = psycopg.OperationalError, psycopg.errors.IdleInTransactionSessionTimeout
"""Errors that may pass; the latter where this very process stood still within a transaction."""

T = TypeVar("T")


class _PunctualConnection(psycopg.Connection[Any]):
    """Fails, and is closed, when the server does not answer within `answer_seconds`.

    The server's own `statement_timeout` is of no use against a server that is frozen, nor is TCP's
    keep-alive: the kernel of its machine answers for it.
    """

    answer_seconds: float = READER_SECONDS

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        try:
            return waiting.wait(self._in_time(gen), self.pgconn.socket, interval=interval)
        except KeyboardInterrupt:  # psycopg would ask the server to cancel, and wait for that
            self.pgconn.finish()
            raise

    def _in_time(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        """The same generator; psycopg resumes it at least every tenth of a second."""
        deadline = time.monotonic() + self.answer_seconds
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                wanted = gen.send(ready)
                if time.monotonic() > deadline:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(
                        f"connection given up: no answer for {self.answer_seconds:.0f} s"
                    )
        except StopIteration as done:
            answer: T = done.value
            return answer


def postgres_engine(url: URL, *, read_only: bool) -> sa.Engine:
    """An engine whose calls end in time, with the server's answer or with an OperationalError."""
    seconds = READER_SECONDS if read_only else WRITER_SECONDS
    settings = {
        "statement_timeout": f"{seconds}s",
        "idle_in_transaction_session_timeout": "60s",  # a frozen client holds no lock for longer
    }
    given = url.query.get("options", "")
    theirs = " ".join(given) if isinstance(given, tuple) else given
    options = [*(f"-c {name}={value}" for name, value in settings.items()), theirs]
    if read_only:
        options.append("-c default_transaction_read_only=on")  # of two the server takes the latter
    engine = sa.create_engine(
        url,
        pool_pre_ping=True,
        connect_args={"connect_timeout": CONNECT_SECONDS, "options": " ".join(options)},
    )

    @sa.event.listens_for(engine, "do_connect")
    def _connect(dialect: Any, record: Any, args: Any, kwargs: Any) -> psycopg.Connection[Any]:
        connection = _PunctualConnection.connect(*args, **kwargs)
        connection.answer_seconds = seconds
        return connection

    return engine
