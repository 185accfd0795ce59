"""A study that this process alone writes to, with a spool for what its database cannot take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from runs.database_retry import DatabaseRetry
from runs.leased_reader import RENAME
from runs.spool import refuse_spooled, spooled
from runs.writer import Writer, open_writer


@contextmanager
def held_study(
    name: str,
    storage: str | None,
    say: Callable[[str], None],
    *,
    check_stop: Callable[[], None] = lambda: None,
    advice: str = RENAME,
) -> Iterator[Writer]:
    """The database of a study, which the study holds while the block runs.

    Args:
        name: of the study, which need not be there yet.
        storage: database URL; None for the default.
        say: told what happens to the database.
        check_stop: called while a database that does not answer is waited for; raises to stop.
        advice: what to do where another process runs the study.

    Yields:
        The database.

    Raises:
        SpoolError: results wait to be put back.
        StudyHeldError: another process runs it.
        StorageError: there is no such database, or it cannot be written.
    """
    refuse_spooled(storage, name)
    with (
        open_writer(storage, say) as store,
        store.hold(name, DatabaseRetry(say=say, check_stop=check_stop), advice) as mirror,
        spooled(mirror, storage),
    ):
        yield store
