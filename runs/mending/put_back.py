"""The results in a spool, put back into a database: any number of times, and none is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import sqlalchemy as sa

from runs.mending import legible
from runs.mending.contradictions import contradictions, reconciled
from runs.mending.damage import Problem, epochs_asked, says_more, tried
from runs.record import EpochRecord, StudyRecord, TrialRecord
from runs.rows import epoch_columns, study_columns, trial_columns
from runs.spool import Spool, SpoolError, read_spool
from runs.tables import EpochRow, StudyRow, TrialRow


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where a trial of a spool belongs."""

    trial: TrialRecord
    """With the number it has there."""
    epochs: tuple[EpochRecord, ...]
    key: int | None
    """Of the row that says less; None where there is none."""


def spool_problem(connection: sa.Connection, path: Path) -> Problem:
    """What a spool still holds; to mend that is to put it back, and then to remove the file."""
    try:
        spool = read_spool(path)
    except SpoolError as error:
        return Problem(sentence=str(error))
    name = spool.study.name
    found = next((s for s in legible.studies(connection) if s.name == name), None)
    if found is not None and (found.record is None or not _agree(found.record, spool.study)):
        return Problem(
            sentence=f"spool {path} is of another study {name!r} than the one here; "
            "put it back into the database it was written for, or remove it"
        )
    key = found.key if found else None
    places = _places(connection, spool, key)
    if key is not None and not places:

        def remove(connection: sa.Connection) -> str:
            path.unlink(missing_ok=True)
            return "removed"

        return Problem(sentence=f"spool {path} holds nothing that is not here", mend=remove)

    def put_back(connection: sa.Connection) -> str:
        _put(connection, spool.study, key, places)
        return "put back"

    return Problem(
        sentence=f"spool {path} holds {len(places)} trials of study {name!r} that are not here, "
        "or with less",
        mend=put_back,
    )


def _agree(one: StudyRecord, other: StudyRecord) -> bool:
    """Whether trials of the two belong together: one may have been begun anew since."""
    return replace(one, created_at=other.created_at) == other


def _places(connection: sa.Connection, spool: Spool, study: int | None) -> list[_Place]:
    """What the database lacks; a trial whose number another one has there gets the next."""
    there = [] if study is None else legible.trials(connection, study)
    known = {tried(t.record): t for t in there if t.record is not None}
    asked = epochs_asked(spool.study)
    numbers = {t.number for t in there if isinstance(t.number, int)}
    places = []
    for trial in spool.trials:
        epochs = tuple(epoch for epoch in spool.epochs if epoch.trial == trial.number)
        if contradictions(trial, epochs, asked):  # what was damaged before it failed is so here
            trial, kept = reconciled(trial, epochs, asked)
            epochs = tuple(kept)
        row = known.get(tried(trial))
        if row is not None and row.record is not None:
            if says_more(trial, len(epochs)) > says_more(row.record, len(row.curve)):
                trial = replace(trial, number=row.record.number)
                places.append(_Place(trial=trial, epochs=epochs, key=row.key))
            continue
        if trial.number in numbers:
            trial = replace(trial, number=max(*numbers, *(t.number for t in spool.trials)) + 1)
        numbers.add(trial.number)
        places.append(_Place(trial=trial, epochs=epochs, key=None))
    return places


def _put(
    connection: sa.Connection, study: StudyRecord, key: int | None, places: Sequence[_Place]
) -> None:
    if key is None:
        added = connection.execute(sa.insert(StudyRow).values(study_columns(study)))
        (key,) = added.inserted_primary_key or (None,)
    for place in places:
        columns = trial_columns(place.trial)
        trial = place.key
        if trial is None:
            added = connection.execute(sa.insert(TrialRow).values({"study_id": key, **columns}))
            (trial,) = added.inserted_primary_key or (None,)
        else:
            connection.execute(sa.update(TrialRow).where(TrialRow.id == trial).values(columns))
            connection.execute(sa.delete(EpochRow).where(EpochRow.trial_id == trial))
        rows = [{"trial_id": trial, **epoch_columns(epoch)} for epoch in place.epochs]
        if rows:
            connection.execute(sa.insert(EpochRow), rows)
