"""Trials and their epochs, written in a caller's transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from runs.record import EpochRecord, TrialRecord
from runs.rows import epoch_columns, trial_columns
from runs.tables import CostRow, EpochRow, TrialRow


class TrialRows:
    """The rows of trials in one database.

    Args:
        find: the row of a trial, by the name of its study and its number.
    """

    def __init__(self, find: Callable[[Session, str, int], TrialRow]) -> None:
        self._find = find
        self._keys: dict[tuple[str, int], int] = {}
        """Of the trials whose epochs were written, by study and number."""

    def keys(self, session: Session, study: str, trials: Collection[int]) -> dict[int, int]:
        """Of trials, by number."""
        return {number: self._find(session, study, number).id for number in trials}

    def add(self, session: Session, study_id: int, trial: TrialRecord) -> None:
        """Adds a trial under the number that it has."""
        row = TrialRow(study_id=study_id, **trial_columns(trial))
        session.add(row)
        if trial.costs:
            session.flush()
            _put_costs(session, row, trial)

    def update(self, session: Session, study: str, trial: TrialRecord) -> TrialRow:
        """Replaces what is known of a trial."""
        row = self._find(session, study, trial.number)
        for name, value in trial_columns(trial).items():
            setattr(row, name, value)
        _put_costs(session, row, trial)
        return row

    def restart(self, session: Session, study: str, trial: TrialRecord) -> None:
        """As `update`, and takes away its epochs."""
        row = self.update(session, study, trial)
        session.execute(sa.delete(EpochRow).where(EpochRow.trial_id == row.id))

    def restore(
        self, session: Session, study: str, study_id: int, trials: Sequence[TrialRecord]
    ) -> None:
        """As `restart` of those that are there, and adds the others."""
        self._keys.clear()  # those of trials added here go if this is not committed
        mine = sa.select(TrialRow.number).where(TrialRow.study_id == study_id)
        known = set(session.scalars(mine))
        for trial in trials:
            if trial.number in known:
                self.restart(session, study, trial)
            else:
                self.add(session, study_id, trial)
        session.flush()

    def add_epochs(self, session: Session, study: str, epochs: Sequence[EpochRecord]) -> None:
        """Adds epochs, each to its trial's curve."""
        keys = [(study, epoch.trial) for epoch in epochs]
        for key in set(keys) - self._keys.keys():
            self._keys[key] = self._find(session, *key).id
        rows = [
            {"trial_id": self._keys[key], **epoch_columns(epoch)}
            for key, epoch in zip(keys, epochs, strict=True)
        ]
        if rows:
            session.execute(sa.insert(EpochRow), rows)


def _put_costs(session: Session, row: TrialRow, trial: TrialRecord) -> None:
    for name, value in trial.costs.items():
        session.merge(CostRow(trial_id=row.id, name=name, value=value))
