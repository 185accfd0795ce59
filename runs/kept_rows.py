"""What is kept of a study besides trials and curves, read and written in a caller's transaction.

Weights that are kept, image results, confirmations, readings of test splits and notes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from runs.record import (
    ConfirmationRecord,
    ImageResults,
    KeptResults,
    Note,
    TestReading,
    WeightsRecord,
)
from runs.rows import (
    confirmation_record,
    image_result_columns,
    image_results_of,
    note_record,
    reading_columns,
    reading_record,
)
from runs.tables import (
    ConfirmationRow,
    CostRow,
    ImageResultRow,
    NoteRow,
    ReadingRow,
    StudyRow,
    TrialRow,
    WeightsRow,
)


def kept_of(session: Session, study_id: int) -> KeptResults:
    """All that is kept of a study."""
    return KeptResults(
        weights=tuple(weights_of(session, study_id)),
        image_results=tuple(image_results(session, study_id)),
        confirmations=tuple(confirmations(session, study_id)),
        readings=tuple(readings(session, study_id)),
        notes=tuple(notes(session, study_id)),
    )


def put(session: Session, study_id: int, keys: Mapping[int, int], kept: KeptResults) -> None:
    """All that is given, of a study and of its trials, whose keys are given by number."""
    put_weights(session, keys, kept.weights)
    put_image_results(session, keys, kept.image_results)
    for confirmation in kept.confirmations:
        add_confirmation(session, study_id, confirmation)
    for reading in kept.readings:
        add_reading(session, study_id, reading)
    for note in kept.notes:
        add_note(session, study_id, note)


def weights_of(session: Session, study_id: int) -> list[WeightsRecord]:
    """By the numbers of their trials."""
    rows = session.execute(
        _of_trials(study_id, WeightsRow, WeightsRow.digest, WeightsRow.size_bytes)
    )
    return [
        WeightsRecord(trial=row.number, digest=row.digest, size_bytes=row.size_bytes)
        for row in rows
    ]


def image_results(session: Session, study_id: int, split: str | None = None) -> list[ImageResults]:
    """Of a split, or of all; by the numbers of their trials."""
    query = _of_trials(study_id, ImageResultRow, ImageResultRow.__table__)
    query = query.order_by(ImageResultRow.split)
    if split is not None:
        query = query.where(ImageResultRow.split == split)
    return [image_results_of(row, row.number) for row in session.execute(query)]


def confirmations(session: Session, study_id: int) -> list[ConfirmationRecord]:
    """The oldest first."""
    query = sa.select(ConfirmationRow).where(ConfirmationRow.study_id == study_id)
    rows = session.scalars(query.order_by(ConfirmationRow.number))
    return [confirmation_record(row) for row in rows]


def readings(session: Session, study_id: int) -> list[TestReading]:
    """For a study, the oldest first."""
    return _readings(session, ReadingRow.study_id == study_id)


def readings_of(session: Session, test_digest: str) -> list[TestReading]:
    """Of a test split, for whichever study or none, the oldest first."""
    return _readings(session, ReadingRow.test_digest == test_digest)


def notes(session: Session, study_id: int) -> list[Note]:
    """On a study and its trials, the oldest first."""
    return [note_record(row) for row in session.scalars(_notes(study_id))]


def put_weights(
    session: Session,
    keys: Mapping[int, int],
    weights: Sequence[WeightsRecord],
    without: Collection[int] = (),
) -> list[str]:
    """Lists weights in the place of what was kept of their trials, and of others nothing.

    Args:
        session: of the transaction.
        keys: of the trials, by number.
        weights: what is kept.
        without: numbers of trials of which nothing is kept any more.

    Returns:
        Digests of files that no trial of any study refers to any more.
    """
    gone = set[str]()
    for number in {*without, *(kept.trial for kept in weights)}:
        mine = WeightsRow.trial_id == keys[number]
        gone |= set(session.scalars(sa.select(WeightsRow.digest).where(mine)))
        session.execute(sa.delete(WeightsRow).where(mine))
    for kept in weights:
        session.add(
            WeightsRow(trial_id=keys[kept.trial], digest=kept.digest, size_bytes=kept.size_bytes)
        )
    wanted = sa.select(WeightsRow.digest).where(WeightsRow.digest.in_(gone))
    return sorted(gone - set(session.scalars(wanted))) if gone else []


def put_image_results(
    session: Session, keys: Mapping[int, int], results: Sequence[ImageResults]
) -> None:
    """In the place of what there was of the same trial and split."""
    for result in results:
        session.merge(ImageResultRow(trial_id=keys[result.trial], **image_result_columns(result)))


def put_costs(
    session: Session,
    study_id: int,
    keys: Mapping[int, int],
    costs: Mapping[str, Mapping[int, float]],
) -> None:
    """By name and the number of the trial, in the place of all that the study's trials had of the
    same names."""
    of_study = sa.select(TrialRow.id).where(TrialRow.study_id == study_id)
    session.execute(
        sa.delete(CostRow).where(CostRow.name.in_([*costs]), CostRow.trial_id.in_(of_study))
    )
    for name, values in costs.items():
        for number, value in values.items():
            session.add(CostRow(trial_id=keys[number], name=name, value=value))


def add_confirmation(session: Session, study_id: int, confirmation: ConfirmationRecord) -> None:
    columns: dict[str, Any] = {
        "number": confirmation.number,
        "began_at": confirmation.began_at,
        "plan": confirmation.plan,
    }
    session.add(ConfirmationRow(study_id=study_id, **columns))


def add_reading(session: Session, study_id: int | None, reading: TestReading) -> None:
    session.add(ReadingRow(study_id=study_id, **reading_columns(reading)))


def add_note(session: Session, study_id: int, note: Note) -> None:
    session.add(NoteRow(study_id=study_id, **asdict(note)))


def remove_note(session: Session, study_id: int, note: Note) -> bool:
    """Whether it was there; of equal ones the first."""
    wanted = [getattr(NoteRow, name) == value for name, value in asdict(note).items()]
    row = session.scalars(_notes(study_id).where(*wanted)).first()
    if row is not None:
        session.delete(row)
    return row is not None


def _notes(study_id: int) -> sa.Select[NoteRow]:
    return sa.select(NoteRow).where(NoteRow.study_id == study_id).order_by(NoteRow.id)


def _readings(session: Session, where: sa.ColumnElement[bool]) -> list[TestReading]:
    mine = ReadingRow.study_id == StudyRow.id
    query = sa.select(ReadingRow, StudyRow.name).join(StudyRow, mine, isouter=True)
    rows = session.execute(query.where(where).order_by(ReadingRow.id))
    return [reading_record(row, name) for row, name in rows]


def _of_trials(study_id: int, row: type[Any], *columns: Any) -> sa.Select[Any]:
    """Columns of what belongs to the trials of a study, and the trials' numbers, in their order."""
    query = sa.select(*columns, TrialRow.number).join(TrialRow, row.trial_id == TrialRow.id)
    return query.where(TrialRow.study_id == study_id).order_by(TrialRow.number)
