"""A study gets another name, and all that names it the new one: in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sqlalchemy as sa
from sqlalchemy.orm import Session

from runs.rate_studies import check_is_whole, rate_studies_of
from runs.reader import Reader
from runs.spool import refuse_spooled
from runs.storage import StorageError
from runs.study_name import check_name
from runs.tables import StudyRow
from runs.writer import Writer


def rename_study(
    store: Writer,
    old: str,
    new: str,
    *,
    storage: str | None,
    say: Callable[[str], None] = lambda sentence: None,
) -> dict[str, str]:
    """Renames a study and the studies that found its learning rates.

    Trials, curves, weights, confirmations, notes and readings belong to it by a key that stays.
    Checkpoints keep the name it began with, which its specification notes, so that no file has to
    move: a process that is killed leaves all as it was or all renamed.

    Args:
        store: the database.
        old: its name.
        new: another, which no study has.
        storage: the URL of the database; spools lie beside it.
        say: told why one has to wait.

    Returns:
        New names by old ones, the study's first.

    Raises:
        UnknownStudyError: there is no study `old`.
        StorageError: the new name cannot be one or is taken, or the study belongs to another.
        SpoolError: results of one of them wait to be put back.
        StudyHeldError: a process runs one of them.
    """
    check_is_whole(store, old, "rename")
    _check_name(old, new)
    if old == new:
        raise StorageError(f"study {old!r} is called that already; choose another name")
    with store.leases([old, new], say) as mine:
        names = {old: new}
        for child in rate_studies_of(store, old):
            names[child.name] = new + child.name.removeprefix(old)
        _check(store, names)
        for name in (*names, *names.values()):
            refuse_spooled(storage, name)
        with store.leases({*names, *names.values()} - {old, new}, say) as theirs:
            store.change([*mine, *theirs], lambda session: _rename(session, old, names))
    return names


def _rename(session: Session, old: str, names: Mapping[str, str]) -> None:
    for row in session.scalars(sa.select(StudyRow).where(StudyRow.name.in_([*names]))):
        first = row.spec.get("first_name", row.name)
        spec = {name: value for name, value in row.spec.items() if name != "first_name"}
        row.name = names[row.name]
        if first != row.name:
            spec["first_name"] = first
        if spec.get("rate_of") == old:
            spec["rate_of"] = names[old]
        if "rate_studies" in spec:
            spec["rate_studies"] = [names.get(name, name) for name in spec["rate_studies"]]
        row.spec = spec


def _check(store: Reader, names: Mapping[str, str]) -> None:
    """Raises StorageError where a new name cannot be one, or is taken."""
    there = {study.name for study in store.studies()}
    for old, new in names.items():
        _check_name(old, new)
        if new in there:
            raise StorageError(
                f"study {old!r} cannot be called {new!r}: there is a study of that name; "
                "choose another, or rename that one first"
            )


def _check_name(old: str, new: str) -> None:
    try:
        check_name(new)
    except ValueError as error:
        raise StorageError(f"study {old!r} cannot be called {new!r}: {error}") from None
