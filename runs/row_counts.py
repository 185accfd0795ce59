"""How many rows a study has, counted by the database: nothing is loaded."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from runs.tables import (
    ConfirmationRow,
    EpochRow,
    NoteRow,
    ReadingRow,
    StudyRow,
    TrialRow,
    WeightsRow,
)


@dataclass(frozen=True, kw_only=True)
class RowCounts:
    """Of one study."""

    trials: int
    epochs: int
    """Of all its trials."""
    confirmations: int
    notes: int
    readings: int
    """Of test splits."""


def count_rows(session: Session, study_id: int) -> RowCounts:
    """The rows of a study, by its key."""

    def count(row: type[TrialRow | ConfirmationRow | NoteRow | ReadingRow]) -> int:
        query = sa.select(sa.func.count()).select_from(row)
        return session.scalars(query.where(row.study_id == study_id)).one()

    epochs = sa.select(sa.func.count()).join_from(EpochRow, TrialRow)
    return RowCounts(
        trials=count(TrialRow),
        epochs=session.scalars(epochs.where(TrialRow.study_id == study_id)).one(),
        confirmations=count(ConfirmationRow),
        notes=count(NoteRow),
        readings=count(ReadingRow),
    )


def digests_of_these_alone(session: Session, studies: Collection[str]) -> list[str]:
    """Of the weights of these studies, by name, those that trials of no other study have."""
    digests = sa.select(WeightsRow.digest).join(TrialRow).join(StudyRow)
    theirs = digests.where(StudyRow.name.not_in(studies))
    return sorted(session.scalars(digests.where(StudyRow.name.in_(studies)).except_(theirs)))
