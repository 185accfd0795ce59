"""Rows of a database that may be damaged, read as far as they can be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pydantic
import sqlalchemy as sa

from runs.record import EpochRecord, Failure, State, StudyRecord, TrialRecord
from runs.rows import epoch_record, study_record, trial_record
from runs.spool import plain, strict_epoch, strict_study, strict_trial
from runs.tables import EpochRow, StudyRow, TrialRow
from space.errors import ConfigError, explain

_FORGETTABLE: dict[str, Any] = {
    "rung": None,
    "accuracy": None,
    "loss": None,
    "timing": None,
    "wall_seconds": None,
    "num_workers": 1,
    "surroundings": None,
    "error": None,
    "failure": None,
    "timeout_seconds": None,
    "sampler_attrs": {},
    "finished_at": None,
}
"""Fields a trial can be without, and what stands there then."""

_ILLEGIBLE = (ConfigError, TypeError, ValueError, sa.exc.DBAPIError)
"""What reading a row ends in whose content we never wrote."""


@dataclass(frozen=True, kw_only=True)
class LegibleStudy:
    """A study's row."""

    key: int
    name: str
    record: StudyRecord | None
    why: str
    """Why there is no record; empty where there is one."""


@dataclass(frozen=True, kw_only=True)
class LegibleTrial:
    """A trial's row and its curve."""

    key: int
    number: Any
    config_digest: Any
    record: TrialRecord | None
    why: str
    """Why there is no record, or which of its fields are lost; empty where it is whole."""
    curve: tuple[EpochRecord | None, ...]
    """None for an epoch that cannot be read."""


def studies(connection: sa.Connection) -> list[LegibleStudy]:
    """All studies, the oldest first."""
    found = []
    for key in connection.scalars(sa.select(StudyRow.id).order_by(StudyRow.id)).all():
        row, illegible = _row(connection, StudyRow.__table__, key)
        record, why = None, f"{', '.join(illegible)} cannot be read"
        if not illegible:
            try:
                record, why = strict_study(plain(study_record(row))), ""
            except _ILLEGIBLE as error:
                why = _words(error)
        found.append(LegibleStudy(key=key, name=str(row.name), record=record, why=why))
    return found


def trials(connection: sa.Connection, study: int) -> list[LegibleTrial]:
    """The trials of a study, given its key, in the order of their numbers."""
    curves = _curves(connection, study)
    mine = TrialRow.study_id == study
    found = []
    for row, illegible in _trial_rows(connection, mine):
        record, why = None, ""
        try:
            record, forgotten = _trial_record(row)
            forgotten |= set(illegible)
            why = f"it has no legible {', '.join(sorted(forgotten))}" if forgotten else ""
        except _ILLEGIBLE as error:
            why = f"{', '.join(illegible)} cannot be read" if illegible else _words(error)
        found.append(
            LegibleTrial(
                key=row.id,
                number=row.number,
                config_digest=row.config_digest,
                record=record,
                why=why,
                curve=tuple(curves.get(row.id, ())),
            )
        )
    return found


@contextmanager
def bad_bytes_written_out(connection: sa.Connection) -> Iterator[None]:
    """Text that is not UTF-8, which SQLite lets in, is read nevertheless."""
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        driver.text_factory = lambda raw: raw.decode(errors="backslashreplace")
    try:
        yield
    finally:
        if connection.dialect.name == "sqlite":
            driver.text_factory = str


def _trial_rows(
    connection: sa.Connection, mine: sa.ColumnElement[bool]
) -> Iterator[tuple[Any, list[str]]]:
    """The rows, each with its columns that cannot be read."""
    table = TrialRow.__table__
    try:
        rows = connection.execute(sa.select(table).where(mine).order_by(TrialRow.number)).all()
    except _ILLEGIBLE:  # one of them, so that they are read one by one
        keys = sa.select(TrialRow.id).where(mine).order_by(TrialRow.number)
        for key in connection.scalars(keys).all():
            try:
                yield connection.execute(sa.select(table).where(TrialRow.id == key)).one(), []
            except _ILLEGIBLE:
                yield _row(connection, table, key)
    else:
        for row in rows:
            yield row, []


def _row(connection: sa.Connection, table: Any, key: int) -> tuple[Any, list[str]]:
    """A row column by column: None where one cannot be read, and the names of those."""
    row, illegible = SimpleNamespace(), []
    for column in table.columns:
        value = None
        try:
            value = connection.scalar(sa.select(column).where(table.c.id == key))
        except _ILLEGIBLE:
            illegible.append(column.name)
        setattr(row, column.name, value)
    return row, illegible


def _trial_record(row: Any) -> tuple[TrialRecord, set[str]]:
    """The record, and which of its fields are not what the row says."""
    if row.state not in list(State):  # its results say what it was
        row = SimpleNamespace(**row._mapping if hasattr(row, "_mapping") else vars(row))
        row.state = State.RUNNING
        return _trial_record(row)[0], {"state"}
    if row.failure is not None and row.failure not in list(Failure):
        row = SimpleNamespace(**row._mapping if hasattr(row, "_mapping") else vars(row))
        row.failure = None
        record, forgotten = _trial_record(row)
        return record, forgotten | {"failure"}
    record = trial_record(row)
    try:
        return strict_trial(plain(record)), set()
    except pydantic.ValidationError as error:
        fields = {str(step) for found in error.errors() for step in found["loc"][:1]}
        if not fields or not fields <= _FORGETTABLE.keys():
            raise
        changes = {field: _FORGETTABLE[field] for field in fields}
        return strict_trial(plain(replace(record, **changes))), fields


def _curves(connection: sa.Connection, study: int) -> dict[int, list[EpochRecord | None]]:
    """The curves of a study's trials by their keys."""
    query = (
        sa.select(EpochRow.__table__, TrialRow.number)
        .join(TrialRow, EpochRow.trial_id == TrialRow.id)
        .where(TrialRow.study_id == study)
        .order_by(EpochRow.trial_id, EpochRow.epoch)
    )
    curves: dict[int, list[EpochRecord | None]] = defaultdict(list)
    with bad_bytes_written_out(connection):
        rows = connection.execute(query).all()
    for row in rows:
        record: EpochRecord | None = epoch_record(row, row.number)
        try:
            record = strict_epoch(plain(record)) if record else None
        except _ILLEGIBLE:
            record = None
        curves[row.trial_id].append(record)
    return curves


def _words(error: Exception) -> str:
    return explain(error) if isinstance(error, pydantic.ValidationError) else str(error)
