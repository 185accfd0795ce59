"""Writes a database: `with open_writer(url) as store: ...`, for one process a study.

Longer than others: all that is ever written is here, in transactions that count their lease.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from runs import kept_rows, schema
from runs.backup import back_up
from runs.database_retry import DatabaseRetry
from runs.lease import Lease
from runs.reader import Reader, UnknownStudyError
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
from runs.rows import epoch_columns, study_columns, study_record, trial_columns
from runs.storage import (
    APPLICATION_ID,
    StorageError,
    check_sqlite_file,
    describe,
    engine_for,
    exists,
    identity,
    parse_storage,
)
from runs.study_mirror import StudyMirror
from runs.tables import ConfirmationRow, CostRow, EpochRow, StudyRow, TrialRow

T = TypeVar("T")


WAIT = "wait until that ends"
RENAME = f"{WAIT}, or start another study with --study-name"
"""What to do where another process runs a study."""


class Writer(Reader):
    """Writes what happened; every method is one transaction, committed when it returns.

    Raises:
        StorageError: the database file was removed, replaced or emptied, which SQLite does not
            notice.
    """

    def __init__(self, engine: sa.Engine, where: str, file: Path | None = None) -> None:
        super().__init__(engine, where)
        self._file = file
        self._opened = identity(file)
        self._trial_ids: dict[tuple[str, int], int] = {}
        """Keys of the trials whose epochs were written, by study and number."""
        self._lease: Lease | None = None
        self._retry = DatabaseRetry()
        self._mirror = StudyMirror()

    @contextmanager
    def hold(
        self,
        study: str,
        retry: DatabaseRetry | None = None,
        advice: str = RENAME,
    ) -> Iterator[StudyMirror]:
        """Holds a study while the block runs, which alone writes to it then.

        Args:
            study: its name.
            retry: how long a database that does not answer is waited for.
            advice: what to do where another process runs it.

        Yields:
            All that is known of the study, also what could not be written.

        Raises:
            StudyHeldError: another process runs it.
            LeaseLostError: another process took it over, because this one stood still.
        """
        retry = retry or DatabaseRetry()
        lease = Lease(self._session, study, retry.say, advice)
        self._lease, self._retry, self._mirror = lease, retry, StudyMirror()
        try:
            with suppress(UnknownStudyError):
                self._mirror.study = self.study(study)
                self._mirror.restart(self.trials(study), self.epochs(study))
                self._mirror.keep(self.kept_results(study))
            yield self._mirror
        finally:
            self._lease, self._retry = None, DatabaseRetry()
            lease.release()

    @property
    def mirror(self) -> StudyMirror:
        """All that is known of the study that is held, also what could not be written."""
        return self._mirror

    @contextmanager
    def leases(
        self, studies: Iterable[str], say: Callable[[str], None] = lambda sentence: None
    ) -> Iterator[list[Lease]]:
        """Keeps every other process from running these studies while the block runs.

        Args:
            studies: their names; they need not be there.
            say: told why one has to wait.

        Raises:
            StudyHeldError: another process runs one of them.
        """
        with ExitStack() as held:
            leases = []
            for name in studies:
                leases.append(Lease(self._session, name, say, WAIT))
                held.callback(leases[-1].release)
            yield leases

    def change(self, leases: Sequence[Lease], write: Callable[[Session], T]) -> T:
        """What `write` returns of one transaction on studies that are kept from others."""
        with self._session() as session:
            for lease in leases:
                lease.fence(session)
            return write(session)

    @contextmanager
    def _session(self) -> Iterator[Session]:
        if identity(self._file) != self._opened:
            raise StorageError(
                f"storage {self.where} was removed, replaced or emptied while it was written to; "
                "put the file back, with its -wal file, and start the search again"
            )
        with super()._session() as session:
            yield session

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
                self._add(session, study_id, trial)
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
                self._update(session, study, trial)

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
                self._update(session, study, trial)
            keys = self._keys(session, study, {*without, *_trials_of(weights, image_results)})
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
            study_id, keys = self._study_row(session, study).id, self._keys(session, study, numbers)
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
            keys = self._keys(session, reading.study, _trials_of((), results))
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
                self._restart(session, study, trial)
            self._insert(session, study, epochs)

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
            self._trial_ids.clear()  # those of trials added here go if this is not committed
            known = set(
                session.scalars(sa.select(TrialRow.number).where(TrialRow.study_id == row.id))
            )
            for trial in trials:
                if trial.number in known:
                    self._restart(session, study.name, trial)
                else:
                    self._add(session, row.id, trial)
            session.flush()
            self._insert(session, study.name, epochs)
            numbers = _trials_of(kept.weights, kept.image_results)
            keys = self._keys(session, study.name, numbers)
            kept_rows.put_weights(session, keys, kept.weights)
            kept_rows.put_image_results(session, keys, kept.image_results)
            for confirmation in kept.confirmations:
                kept_rows.add_confirmation(session, row.id, confirmation)
            for reading in kept.readings:
                kept_rows.add_reading(session, row.id, reading)
            for note in kept.notes:
                kept_rows.add_note(session, row.id, note)

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
        self._write(lambda session: self._insert(session, study, epochs))

    def _read(self, read: Callable[[Session], T]) -> T:
        """Of a study that is held it is tried again while the database is away."""
        if self._lease is None:
            return super()._read(read)
        return self._retry.call(lambda: super(Writer, self)._read(read))

    def _write(self, write: Callable[[Session], T]) -> T:
        """What `write` returns of a transaction that is committed once.

        Of a study that is held it is tried again while the database is away. The answer to a
        commit can be lost on the way: the next try then finds that transaction counted.
        """
        lease = self._lease
        if lease is None:
            with self._session() as session:
                return write(session)
        written: list[T] = []

        def attempt() -> T:
            with self._session() as session:
                if lease.fence(session):
                    written[:] = [write(session)]
            return written[0]

        answer = self._retry.call(attempt)
        lease.fencing_token += 1
        return answer

    def _keys(self, session: Session, study: str, trials: Collection[int]) -> dict[int, int]:
        """Of trials, by number."""
        return {number: self._trial_row(session, study, number).id for number in trials}

    def _add(self, session: Session, study_id: int, trial: TrialRecord) -> None:
        row = TrialRow(study_id=study_id, **trial_columns(trial))
        session.add(row)
        if trial.costs:
            session.flush()
            self._put_costs(session, row, trial)

    def _put_costs(self, session: Session, row: TrialRow, trial: TrialRecord) -> None:
        for name, value in trial.costs.items():
            session.merge(CostRow(trial_id=row.id, name=name, value=value))

    def _update(self, session: Session, study: str, trial: TrialRecord) -> TrialRow:
        row = self._trial_row(session, study, trial.number)
        for name, value in trial_columns(trial).items():
            setattr(row, name, value)
        self._put_costs(session, row, trial)
        return row

    def _restart(self, session: Session, study: str, trial: TrialRecord) -> None:
        row = self._update(session, study, trial)
        session.execute(sa.delete(EpochRow).where(EpochRow.trial_id == row.id))

    def _insert(self, session: Session, study: str, epochs: Sequence[EpochRecord]) -> None:
        keys = [(study, epoch.trial) for epoch in epochs]
        for key in set(keys) - self._trial_ids.keys():
            self._trial_ids[key] = self._trial_row(session, *key).id
        rows = [
            {"trial_id": self._trial_ids[key], **epoch_columns(epoch)}
            for key, epoch in zip(keys, epochs, strict=True)
        ]
        if rows:
            session.execute(sa.insert(EpochRow), rows)


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
            if url.get_backend_name() == "postgresql":  # two first starts: one upgrades
                session.execute(
                    sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": APPLICATION_ID}
                )
            schema.upgrade(session.connection(), keep_copy)
    finally:
        writer._engine.dispose()
