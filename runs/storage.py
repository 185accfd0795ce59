"""Where results lie: what a storage URL means, and whether what is there is ours."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from space.errors import MixerSearchError
from space.paths import as_path

DEFAULT_STORAGE = "sqlite:///runs/mixer_search.db"

APPLICATION_ID = 0x4D495852
"""`MIXR` in a SQLite file's header tells our databases from strangers'."""

BUSY_TIMEOUT_SECONDS = 8
"""Ctrl-C has to wait for it; a study that is held tries again."""
SQLITE_MAGIC = b"SQLite format 3\x00"


class StorageError(MixerSearchError):
    """Results cannot be read or written there."""


class AwayError(StorageError):
    """The database does not answer now; it may again."""


def parse_storage(storage: str | None) -> URL:
    """The database a `--storage` argument means: given, else `MIXER_STORAGE`, else the default.

    Raises:
        StorageError: not a URL, or not of SQLite on a file or PostgreSQL, or of a folder.
    """
    text = storage or os.environ.get("MIXER_STORAGE") or DEFAULT_STORAGE
    try:
        url = make_url(text)
    except (sa.exc.ArgumentError, ValueError):  # ValueError: a port that is no number
        raise StorageError(
            "the storage is not a URL; write it like sqlite:///runs/mixer_search.db or "
            "postgresql+psycopg://user@host/database (in a password @ is %40, / is %2F, % is %25)"
        ) from None
    if "@" in (url.host or ""):
        raise StorageError("the storage's password holds an @, which a URL needs; write it as %40")
    shown = _shown(url)
    backend = url.drivername.split("+")[0]
    if backend == "postgres":
        raise StorageError(
            f"storage {shown}: the scheme is called postgresql, not postgres; "
            "write postgresql+psycopg://..."
        )
    if backend == "postgresql":
        if url.drivername not in {"postgresql", "postgresql+psycopg"}:
            raise StorageError(
                f"storage {shown}: only the psycopg driver is installed; "
                "write postgresql+psycopg://..."
            )
        url = url.set(drivername="postgresql+psycopg")
        _check_query(url)
        return url
    if url.drivername not in {"sqlite", "sqlite+pysqlite"}:
        raise StorageError(
            f"storage {shown}: no database of the kind {backend!r} is supported; "
            "use sqlite:///FILE or postgresql+psycopg://..."
        )
    if url.host:
        file = "/".join(part for part in (url.host, url.database) if part)
        raise StorageError(
            f"storage {shown}: two slashes make {url.host!r} a host; a file takes three: "
            f"sqlite:///{file}"
        )
    if not url.database or url.database == ":memory:":
        raise StorageError(
            f"storage {shown}: results in memory would be lost; name a file: {DEFAULT_STORAGE}"
        )
    if "?" in text:
        raise StorageError(
            f"storage {shown}: a file takes no options, which begin after a question mark; "
            "leave them out, or, where it is part of the file's name, write it as %3F"
        )
    path = as_path(url.database)
    if url.database.endswith("/") or os.path.isdir(path):
        raise StorageError(
            f"storage {url.database} is a folder; name a file in it: "
            f"sqlite:///{os.path.join(url.database, 'mixer_search.db')}"
        )
    return url.set(database=str(path))


def _check_query(url: URL) -> None:
    """What SQLAlchemy and libpq would refuse later, with what they refuse in their words."""
    try:
        url.get_dialect()().create_connect_args(url)
    except (sa.exc.ArgumentError, ValueError):
        raise StorageError(
            f"storage {_shown(url)}: its host or port in the query are none; "
            "write postgresql+psycopg://user@host:port/database"
        ) from None
    if "conninfo" in url.query:
        raise StorageError(
            f"storage {_shown(url)}: conninfo is no parameter of a URL; "
            "write what it says as user, host and parameters of their own"
        )


def without_password(storage: str) -> str:
    """A `--storage` argument as it may be printed: `***` stands for a password.

    libpq takes passwords in the query too.
    """
    url = parse_storage(storage)
    query = {
        name: "***" if name.endswith("password") else value for name, value in url.query.items()
    }
    return url.set(query=query).render_as_string(hide_password=True)


def has_password(storage: str) -> bool:
    """Whether a `--storage` argument holds one."""
    url = parse_storage(storage)
    return bool(url.password) or any(name.endswith("password") for name in url.query)


def beside(storage: str | None, what: str) -> Path:
    """Where something is kept that belongs to a database: beside its file, else in `runs/`."""
    url = parse_storage(storage)
    if url.get_backend_name() == "sqlite":
        return Path(f"{url.database}.{what}")
    return Path("runs") / what


def describe(url: URL) -> str:
    """How a person is told where the database is: the file's path, or the URL, password hidden."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return _shown(url)


def _shown(url: URL) -> str:
    """The URL as it is told, without what libpq is to know besides."""
    return url.set(query={}).render_as_string(hide_password=True)


def engine_for(url: URL, *, read_only: bool, foreign_keys: bool = True) -> sa.Engine:
    """An engine with our settings; connects to nothing yet.

    SQLite: WAL, foreign keys, a busy timeout, and transactions that take the write lock at their
    start (an upgrade from read to write lock half-way would fail at once when another holds it).
    A read-only engine opens the file read-only: it cannot write even by mistake. Without
    `foreign_keys` a migration may replace a table without its children being deleted.
    """
    if url.get_backend_name() == "postgresql":
        from runs.postgres import postgres_engine  # SQLite needs no driver of a server

        return postgres_engine(url, read_only=read_only)
    path = Path(str(url.database)).absolute()
    mode = "ro" if read_only else "rw"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode={mode}",
            uri=True,
            timeout=BUSY_TIMEOUT_SECONDS,
            isolation_level=None,  # SQLAlchemy begins, not the driver
            check_same_thread=False,
        )
        connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        if not read_only:
            connection.execute("PRAGMA journal_mode = WAL")
            # A power cut may take the last transactions; a killed process never does. The same
            # command trains what is missing, so a sync to disk for each epoch is not worth its time
            connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.pool.NullPool)
    if not read_only:
        engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.pool.QueuePool)
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def exists(path: Path) -> bool:
    """Whether there is such a file.

    Raises:
        StorageError: one cannot tell: a folder on the way is closed, or the name too long.
    """
    try:
        return path.exists()
    except OSError as error:
        raise StorageError(
            f"storage {path} cannot be reached ({error.strerror}); "
            "mend its permissions or name another file with --storage"
        ) from None


def check_sqlite_file(path: Path) -> None:
    """Whether the file is a database of ours, whole enough to open.

    Raises:
        StorageError: unreadable, empty, not SQLite, truncated or another program's.
    """
    # A process killed while it moved its log into the file leaves the file short and the log whole
    unfinished = _size(path.with_name(f"{path.name}-wal")) > 0
    try:
        with path.open("rb") as file:
            header = file.read(100)
        size = path.stat().st_size
    except OSError as error:
        raise StorageError(
            f"storage {path} cannot be read ({error.strerror}); "
            "mend its permissions or name another file with --storage"
        ) from None
    if size == 0:
        raise StorageError(
            f"storage {path} is an empty file, not a database; "
            "move it away to start afresh, or restore the database that was there"
        )
    if not header.startswith(SQLITE_MAGIC):
        raise StorageError(
            f"storage {path} is not a SQLite database; name another file with --storage"
        )
    page_size = int.from_bytes(header[16:18]) or 0
    page_size = 65536 if page_size == 1 else page_size
    pages = int.from_bytes(header[28:32])
    if len(header) < 100 or (size < page_size * pages and not unfinished):
        raise StorageError(
            f"storage {path} is truncated: {size:,} of {page_size * pages:,} bytes are there; "
            "restore it from a copy, or name another file with --storage"
        )
    if int.from_bytes(header[68:72]) != APPLICATION_ID:
        raise StorageError(
            f"storage {path} is a SQLite database of another program; "
            "name another file with --storage"
        )


def identity(path: Path | None) -> tuple[int, int] | None:
    """Differs when another file has taken a file's place; None of none, and of an empty one."""
    try:
        found = path.stat() if path else None
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found and found.st_size else None


def is_away(error: Exception) -> bool:
    """Whether a database's error may pass: the server is down, or a lock was held for too long."""
    if isinstance(error, sa.exc.TimeoutError):
        return True
    cause = getattr(error, "orig", None)
    if isinstance(cause, sqlite3.OperationalError):
        code = getattr(cause, "sqlite_errorcode", 0)
        return code & 0xFF == sqlite3.SQLITE_BUSY  # the rest says which kind of busy
    if cause is None or isinstance(cause, sqlite3.Error):
        return False
    from runs.postgres import AWAY  # its driver is there: the error is of its making

    return isinstance(cause, AWAY)


def reason(error: Exception) -> str:
    """The database's own words, short, and what to do."""
    words = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
    advice = {
        "readonly": "make the file and its folder writable",
        "unable to open": "make the file and its folder readable and writable",
        "is full": "free some space",
        "I/O error": "see that the disk is whole and not full",
        "locked": "another program holds it; close that and try again",
        "conn": "check that the server runs and the URL is right",
        "resolve host": "check the host in the URL",
    }
    hint = next((todo for sign, todo in advice.items() if sign in words), "restore it from a copy")
    return f"{words}; {hint}"


def _size(path: Path) -> int:
    """In bytes; 0 of a file that is not there."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
