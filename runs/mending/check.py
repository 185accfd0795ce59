"""A database looked over, and repaired where it can be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from runs import schema
from runs.mending import legible
from runs.mending.damage import Aside, Problem, damaged_pages, problems
from runs.mending.put_back import spool_problem
from runs.record import State
from runs.spool import SpoolError, read_spool, spools_of
from runs.storage import (
    StorageError,
    beside,
    check_sqlite_file,
    describe,
    engine_for,
    exists,
    parse_storage,
    reason,
)
from runs.tables import StudyRow, TrialRow
from runs.writer import open_writer

_ROUNDS = 8
"""What is mended may bring up something else, but not more often than this."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was found, in sentences."""

    where: str
    """The database as a person is told of it."""
    problems: tuple[str, ...]
    """What is wrong."""
    notes: tuple[str, ...] = ()
    """What may be as it should."""
    repaired: tuple[str, ...] = ()
    """What was wrong, and what was done about it."""


def check(storage: str | None) -> Report:
    """Looks over a database and the spools that wait for it; writes nothing.

    Raises:
        StorageError: there is nothing to look at, or it is not ours.
    """
    url = parse_storage(storage)
    if _holds_nothing(storage):
        return Report(where=describe(url), problems=tuple(_waiting(storage)))
    with _transaction(url, read_only=True) as connection:
        damage = damaged_pages(connection)
        if damage:
            return Report(where=describe(url), problems=(damage,))
        schema.check(connection)
        found = [problem.sentence for problem in _problems(connection, storage)]
        return Report(where=describe(url), problems=tuple(found), notes=tuple(_notes(connection)))


def repair(storage: str | None, say: Callable[[str], None] = lambda sentence: None) -> Report:
    """As `check`, and mends what can be mended; does it again where it is called again.

    A database that is gone or empty is made anew where there is a spool to put into it. Rows that
    are taken out are kept in a file beside the database.

    Args:
        storage: database URL; None for the default.
        say: told why one has to wait.

    Raises:
        StudyHeldError: one of the studies is being run.
        LeaseLostError: one of them is run by now, because this process stood still.
        StorageError: there is nothing to look at, it is not ours, or cannot be written.
    """
    url = parse_storage(storage)
    if _holds_nothing(storage):
        if not any(_is_spool(path) for path in spools_of(storage)):
            return check(storage)
        if url.get_backend_name() == "sqlite":
            _make_way(Path(str(url.database)))
    elif _has_damaged_pages(url):
        return check(storage)
    done: list[str] = []
    failed: dict[str, str] = {}
    # Opened, it is made anew where it is gone, or brought to this program's schema
    with open_writer(storage, say) as store, ExitStack() as leases:
        held = [leases.enter_context(store.keep_out_others(name, say)) for name in _names(storage)]
        for _ in range(_ROUNDS):
            with _transaction(url, read_only=False) as connection:
                with Session(connection, join_transaction_mode="create_savepoint") as session:
                    for lease in held:
                        lease.fence(session)
                    session.commit()
                before = len(done)
                for problem in _problems(connection, storage, failed):
                    _mend(connection, problem, done, failed)
            for lease in held:
                lease.fencing_token += 1
            if len(done) == before:
                break
        left = check(storage)
    said = [f"{p}; it cannot be mended: {failed[p]}" if p in failed else p for p in left.problems]
    return replace(left, problems=tuple(said), repaired=tuple(done))


def _mend(
    connection: sa.Connection, problem: Problem, done: list[str], failed: dict[str, str]
) -> None:
    """Does what can be done about a problem, or nothing of it."""
    if problem.mend is None:
        return
    try:
        with connection.begin_nested():
            done.append(f"{problem.sentence}: {problem.mend(connection)}")
    except (sa.exc.IntegrityError, sa.exc.DataError, OverflowError, UnicodeEncodeError) as error:
        failed[problem.sentence] = reason(error).partition(";")[0]  # what is mended next may help


def _problems(
    connection: sa.Connection, storage: str | None, failed: Mapping[str, str] | None = None
) -> list[Problem]:
    """Of the tables, and of the spools: not yet where the tables are to be mended first.

    Args:
        failed: what could not be mended; None where nothing is to be.
    """
    aside = Aside(beside(storage, "taken_out.jsonl"))
    found = list(problems(connection, aside))
    if failed is None or not any(p.mend for p in found if p.sentence not in failed):
        found += [spool_problem(connection, path) for path in spools_of(storage)]
    return found


def _notes(connection: sa.Connection) -> list[str]:
    is_running = sa.case((TrialRow.state == State.RUNNING, 1))
    query = (
        sa.select(
            StudyRow.name,
            sa.func.count(TrialRow.id),
            sa.func.max(TrialRow.number),
            sa.func.count(is_running),
        )
        .join(TrialRow, TrialRow.study_id == StudyRow.id)
        .group_by(StudyRow.id, StudyRow.name)
        .order_by(StudyRow.id)
    )
    notes = []
    for name, count, last, running in connection.execute(query):
        if running:
            notes.append(
                f"study {name!r}: trials running: {running}; if nobody runs the study, its "
                "command goes on with them"
            )
        if count <= last:
            notes.append(f"study {name!r}: numbers without a trial: {last + 1 - count}")
    return notes


def _names(storage: str | None) -> set[str]:
    """The studies that are here, or will be."""
    with _transaction(parse_storage(storage), read_only=True) as connection:
        names = {study.name for study in legible.studies(connection)}
    return names | {read_spool(p).study.name for p in spools_of(storage) if _is_spool(p)}


def _holds_nothing(storage: str | None) -> bool:
    """Whether the database is gone or empty, and a spool waits for it.

    Raises:
        StorageError: no spool waits for it, or it is not ours.
    """
    url, spools = parse_storage(storage), spools_of(storage)
    if url.get_backend_name() == "sqlite":
        path = Path(str(url.database))
        if exists(path) and (not spools or path.stat().st_size > 0):
            try:
                check_sqlite_file(path)
            except StorageError as error:
                if not spools:
                    raise
                raise StorageError(
                    f"{error}; or move the file away, and --repair makes another of the spools in "
                    f"{spools[0].parent}"
                ) from None
        elif spools:
            return True
        else:
            raise StorageError(
                f"storage {path} does not exist, and no spool waits for it; "
                "name the database with --storage"
            )
    with _transaction(url, read_only=True) as connection:
        return bool(spools) and not sa.inspect(connection).has_table(StudyRow.__tablename__)


def _has_damaged_pages(url: URL) -> bool:
    with _transaction(url, read_only=True) as connection:
        return damaged_pages(connection) is not None


def _waiting(storage: str | None) -> Iterator[str]:
    for path in spools_of(storage):
        try:
            name = read_spool(path).study.name
            yield f"the database is gone or empty, and spool {path} of study {name!r} waits"
        except SpoolError as error:
            yield str(error)


def _is_spool(path: Path) -> bool:
    try:
        read_spool(path)
    except SpoolError:
        return False
    return True


def _is_empty(path: Path) -> bool:
    return exists(path) and path.stat().st_size == 0


def _make_way(path: Path) -> None:
    """For a new file: the log of the one that was there would be taken for the new one's."""
    try:
        if _is_empty(path):
            path.unlink(missing_ok=True)
        path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
        for there in (path, path.with_name(f"{path.name}-wal")):
            if exists(there):
                there.replace(there.with_name(f"{there.name}.old"))
    except OSError as error:
        raise StorageError(
            f"storage {path} cannot be made anew ({error.strerror}); make its folder writable"
        ) from None


@contextmanager
def _transaction(url: URL, *, read_only: bool) -> Iterator[sa.Connection]:
    """One transaction on the bare database; to read it sees one state of it.

    Raises:
        StorageError: in the database's own words.
    """
    engine = engine_for(url, read_only=read_only)
    if read_only and url.get_backend_name() == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    try:
        with engine.connect() as connection:
            yield connection
            if not read_only:
                connection.commit()
    except (sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
        raise StorageError(f"storage {describe(url)}: {reason(error)}") from error
    finally:
        engine.dispose()
