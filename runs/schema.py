"""The schema's age: created, upgraded by the writer, refused when newer than this code."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import URL

from runs.storage import APPLICATION_ID, StorageError, engine_for, exists, reason

VERSION_TABLE = "run_schema"


def upgrade(
    connection: sa.Connection, leave: Callable[[str, str], None] = lambda old, new: None
) -> None:
    """Brings the database to this code's schema, creating it in an empty one.

    Runs inside the caller's transaction, so a failure half-way leaves what was there.

    Args:
        connection: on which the transaction has begun.
        leave: called with the schema that is there and the one to come, before anything changes.

    Raises:
        StorageError: the database was written by a newer version of this program, or holds what
            this code's schema forbids.
    """
    config = _alembic()
    if connection.dialect.name == "postgresql":  # of two first starts one upgrades
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": APPLICATION_ID})
    revision, head = _revision(connection, config), _head(config)
    if revision == head:
        return
    if revision is not None:
        leave(revision, head)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def create_sqlite(path: Path) -> None:
    """Makes an empty database of ours, which appears under its name only when it is whole.

    Of several processes that do so at once the first wins and the others use its file.

    Raises:
        StorageError: the file cannot be made there, or the log of one that is gone lies there.
    """
    log = path.with_name(f"{path.name}-wal")
    if exists(log) and log.stat().st_size and not exists(path):  # the log of no other first start
        raise StorageError(
            f"storage {path} is gone and its log {log.name} is not, which SQLite would read into "
            "a new file; put the file back, or its spool (python -m search.check --repair), or "
            "remove the log too"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{uuid.uuid4().hex}.tmp")
        unfinished.touch(exist_ok=False)
        try:
            engine = engine_for(URL.create("sqlite", database=str(unfinished)), read_only=False)
            with engine.connect() as connection:
                connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
                upgrade(connection)
                connection.commit()
            engine.dispose()
            with suppress(FileExistsError):
                os.link(unfinished, path)
        finally:
            for suffix in ("", "-wal", "-shm", "-journal"):
                Path(f"{unfinished}{suffix}").unlink(missing_ok=True)
    except sa.exc.DBAPIError as error:
        raise StorageError(f"storage {path} cannot be created: {reason(error)}") from error
    except OSError as error:
        raise StorageError(
            f"storage {path} cannot be created ({error.strerror}); "
            "name a file in a folder that can be written with --storage"
        ) from None


def check(connection: sa.Connection) -> None:
    """For a reader, which may not upgrade.

    Raises:
        StorageError: the schema is newer or older than this code, or there is none.
    """
    config = _alembic()
    revision = _revision(connection, config)
    if revision is None:
        raise StorageError(
            "the database holds no studies of ours; start one: "
            "python -m search.run --study mixer_digits"
        )
    if revision != _head(config):
        raise StorageError(
            f"the database is of an older schema ({revision}); python -m runs upgrade brings it "
            "up to date, and so does the next search in it"
        )


def _revision(connection: sa.Connection, config: Config) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    revision = context.get_current_revision()
    if revision is not None and revision not in _revisions(_folder(config)):
        raise StorageError(
            f"the database was written by a newer version of this program (schema {revision}); "
            "update this program, or name another database with --storage"
        )
    return revision


def _head(config: Config) -> str:
    return _revisions(_folder(config))[0]


@cache  # readers ask whenever they look for news, and Alembic compiles the files every time
def _revisions(folder: str) -> tuple[str, ...]:
    """All that lie in a folder, the newest first."""
    scripts = ScriptDirectory(folder).walk_revisions()
    return tuple(script.revision for script in scripts)


def _folder(config: Config) -> str:
    folder = config.get_main_option("script_location")
    assert folder is not None, "it is set where the configuration is made"
    return folder


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
