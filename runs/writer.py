"""Writes a database: `with open_writer(url) as store: ...`, for one process a study."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from runs import kept_rows, schema
from runs.backup import back_up
from runs.leased_reader import LeasedReader
from runs.record import (
    ConfirmationRecord,
    EpochRecord,
    ImageResults,
    KeptResults,
    Note,
    StudyRecord,
    TestReading,
    TrialRecord,
    WeightsRecord,
)
from runs.rows import study_columns, study_record
from runs.storage import check_sqlite_file, describe, engine_for, exists, parse_storage
from runs.tables import ConfirmationRow, StudyRow, TrialRow
from runs.trial_rows import TrialRows


class Writer(LeasedReader):
    """Writes what happened; every method is one transaction, committed when it returns."""

    def __init__(self, engine: sa.Engine, where: str, file: Path | None = None) -> None:
        super().__init__(engine, where, file)
        self._trials = TrialRows(self._trial_row)

    def add_study(self, study: StudyRecord) -> StudyRecord:
        """Adds the study, or returns the one of that name that is there already."""

        def write(session: Session) -> StudyRecord:
            row = session.scalar(sa.select(StudyRow).where(StudyRow.name == study.name))
            if row is not None:
                return study_record(row)
            session.add(StudyRow(**study_columns(study)))
            return study

        self._mirror.study = self._write(write)
        return self._mirror.study

    def put_study(self, study: StudyRecord) -> StudyRecord:
        """Adds the study, or replaces the specification of the one of that name."""

        def write(session: Session) -> StudyRecord:
            row = session.scalar(sa.select(StudyRow).where(StudyRow.name == study.name))
            if row is None:
                session.add(StudyRow(**study_columns(study)))
            elif row.spec != study.spec:
                row.spec = study.spec
            return study

        self._mirror.study = self._write(write)
        return self._mirror.study

    def add_trial(self, study: str, trial: TrialRecord) -> TrialRecord:
        """Adds a trial under the study's next number; the record given need not know it yet."""
        return self.add_trials(study, [trial])[0]

    def add_trials(self, study: str, trials: Sequence[TrialRecord]) -> list[TrialRecord]:
        """Adds trials under the study's next numbers, all of them or none."""

        def write(session: Session) -> list[TrialRecord]:
            study_id = self._study_row(session, study).id
            last = session.scalar(
                sa.select(sa.func.max(TrialRow.number)).where(TrialRow.study_id == study_id)
            )
            first = 0 if last is None else last + 1
            added = [replace(trial, number=first + i) for i, trial in enumerate(trials)]
            for trial in added:
                self._trials.add(session, study_id, trial)
            return added

        added = self._write(write)
        self._mirror.keep_trials(added)
        return added

    def update_trial(self, study: str, trial: TrialRecord) -> None:
        """Replaces what is known of a trial, found by its number."""
        self.update_trials(study, [trial])

    def update_trials(self, study: str, trials: Sequence[TrialRecord]) -> None:
        """Replaces what is known of trials, found by their numbers, all of them or none."""

        def write(session: Session) -> None:
            for trial in trials:
                self._trials.update(session, study, trial)

        self._mirror.keep_trials(trials)
        self._write(write)

    def end_trials(
        self,
        study: str,
        trials: Sequence[TrialRecord],
        *,
        weights: Sequence[WeightsRecord] = (),
        without: Collection[int] = (),
        image_results: Sequence[ImageResults] = (),
    ) -> list[str]:
        """As `update_trials`, in one transaction with what is kept of trials' weights and results.

        Args:
            study: its name.
            trials: as they ended.
            weights: whose files are there, in the place of what was kept of the same trials.
            without: numbers of trials of which no weights are kept any more.
            image_results: which images these trials predict right.

        Returns:
            Digests of files that no trial of any study refers to any more.
        """

        def write(session: Session) -> list[str]:
            for trial in trials:
                self._trials.update(session, study, trial)
            keys = self._trials.keys(
                session, study, {*without, *_trials_of(weights, image_results)}
            )
            kept_rows.put_image_results(session, keys, image_results)
            return kept_rows.put_weights(session, keys, weights, without)

        self._mirror.drop_weights(without)
        self._mirror.keep(KeptResults(weights=(*weights,), image_results=(*image_results,)))
        self._mirror.keep_trials(trials)
        return self._write(write)

    def put_costs(self, study: str, costs: Mapping[str, Mapping[int, float]]) -> None:
        """Replaces measured costs of a study's trials.

        Args:
            study: its name.
            costs: values by the number of the trial, by the name of the cost; a trial that is not
                there has that cost no more.
        """
        numbers = {number for values in costs.values() for number in values}

        def write(session: Session) -> None:
            study_id, keys = (
                self._study_row(session, study).id,
                self._trials.keys(session, study, numbers),
            )
            kept_rows.put_costs(session, study_id, keys, costs)

        self._mirror.put_costs(costs)
        self._write(write)

    def add_confirmation(self, study: str, plan: dict[str, Any]) -> ConfirmationRecord:
        """Adds a confirmation under the study's next number, which begins now."""
        began_at = datetime.now(UTC)

        def write(session: Session) -> ConfirmationRecord:
            study_id = self._study_row(session, study).id
            mine = ConfirmationRow.study_id == study_id
            last = session.scalar(sa.select(sa.func.max(ConfirmationRow.number)).where(mine))
            number = 0 if last is None else last + 1
            added = ConfirmationRecord(number=number, began_at=began_at, plan=plan)
            kept_rows.add_confirmation(session, study_id, added)
            return added

        added = self._write(write)
        self._mirror.keep(KeptResults(confirmations=(added,)))
        return added

    def add_test_reading(self, reading: TestReading, results: Sequence[ImageResults] = ()) -> None:
        """Adds a reading of a test split and what it showed of trials of its study, or neither.

        Results of a trial take the place of those an earlier reading showed of it. A reading for no
        study of the database has none.
        """

        def write(session: Session) -> None:
            if reading.study is None:
                kept_rows.add_reading(session, None, reading)
                return
            study_id = self._study_row(session, reading.study).id
            kept_rows.add_reading(session, study_id, reading)
            keys = self._trials.keys(session, reading.study, _trials_of((), results))
            kept_rows.put_image_results(session, keys, results)

        self._mirror.keep(KeptResults(readings=(reading,), image_results=(*results,)))
        self._write(write)

    def add_note(self, study: str, note: Note) -> None:
        """Adds a note, also while another process runs the study.

        A note is no result: no process that runs a study reads, counts or changes notes, so that
        one from elsewhere contradicts nothing it writes. It takes the lock for one row.

        Raises:
            UnknownStudyError: there is no such study, or no such trial in it.
        """

        def write(session: Session) -> None:
            if note.trial is not None:
                self._trial_row(session, study, note.trial)
            kept_rows.add_note(session, self._study_row(session, study).id, note)

        self._mirror.keep(KeptResults(notes=(note,)))
        self._write(write)

    def remove_note(self, study: str, note: Note) -> bool:
        """Whether the note was there; as `add_note`."""
        return self._write(
            lambda session: kept_rows.remove_note(session, self._study_row(session, study).id, note)
        )

    def restart_trials(
        self, study: str, trials: Sequence[TrialRecord], epochs: Sequence[EpochRecord]
    ) -> None:
        """As `update_trials`, and puts these epochs in the place of those there were."""

        def write(session: Session) -> None:
            for trial in trials:
                self._trials.restart(session, study, trial)
            self._trials.add_epochs(session, study, epochs)

        self._mirror.restart(trials, epochs)
        self._write(write)

    def restore_trials(
        self,
        study: StudyRecord,
        trials: Sequence[TrialRecord],
        epochs: Sequence[EpochRecord],
        kept: KeptResults | None = None,
    ) -> None:
        """As `restart_trials`, and adds what is not there: the study, and trials as numbered.

        And of what else is kept of the study all that is given.
        """
        kept = kept or KeptResults()

        def write(session: Session) -> None:
            row = session.scalar(sa.select(StudyRow).where(StudyRow.name == study.name))
            if row is None:
                row = StudyRow(**study_columns(study))
                session.add(row)
                session.flush()
            self._trials.restore(session, study.name, row.id, trials)
            self._trials.add_epochs(session, study.name, epochs)
            numbers = _trials_of(kept.weights, kept.image_results)
            kept_rows.put(session, row.id, self._trials.keys(session, study.name, numbers), kept)

        self._mirror.study = study
        self._mirror.restart(trials, epochs)
        self._mirror.keep(kept)
        self._write(write)

    def add_epoch(self, study: str, epoch: EpochRecord) -> None:
        """Adds one epoch to a trial's curve."""
        self.add_epochs(study, [epoch])

    def add_epochs(self, study: str, epochs: Sequence[EpochRecord]) -> None:
        """Adds epochs, each to its trial's curve, all of them or none."""
        self._mirror.keep_epochs(epochs)
        self._write(lambda session: self._trials.add_epochs(session, study, epochs))


def _trials_of(weights: Sequence[WeightsRecord], image_results: Sequence[ImageResults]) -> set[int]:
    """Their numbers."""
    return {record.trial for record in weights} | {results.trial for results in image_results}


@contextmanager
def open_writer(
    storage: str | None = None, say: Callable[[str], None] = lambda sentence: None
) -> Iterator[Writer]:
    """Opens a database for writing; creates it, or upgrades its schema, where needed.

    A SQLite file is copied before its schema is upgraded, and the copy stays.

    Args:
        storage: database URL; None for the default.
        say: told of that copy.

    Raises:
        StorageError: it cannot be created, is not ours, or was written by a newer version.
    """
    url = parse_storage(storage)
    path = None
    if url.get_backend_name() == "sqlite":
        path = Path(str(url.database))
        if not exists(path):
            schema.create_sqlite(path)
        check_sqlite_file(path)
    _upgrade(url, path, say)
    writer = Writer(engine_for(url, read_only=False), describe(url), path)
    try:
        yield writer
    finally:
        writer._engine.dispose()


def _upgrade(url: URL, file: Path | None, say: Callable[[str], None]) -> None:
    """Brings the schema up to date, in one transaction."""

    def keep_copy(old: str, new: str) -> None:
        if file is not None:
            copy = back_up(file, old)
            say(f"the database goes from schema {old} to {new}; as it was it is kept in {copy}")

    writer = Writer(engine_for(url, read_only=False, foreign_keys=False), describe(url))
    try:
        with writer._session() as session:
            schema.upgrade(session.connection(), keep_copy)
    finally:
        writer._engine.dispose()
