"""Reads a database: `with open_reader(url) as store: ...`, for any number of processes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from runs import kept_rows, schema
from runs.lease import Holder, find_holder
from runs.record import (
    ConfirmationRecord,
    EpochRecord,
    ImageResults,
    KeptResults,
    Note,
    State,
    StudyRecord,
    TestReading,
    TrialRecord,
    WeightsRecord,
)
from runs.row_counts import RowCounts, count_rows, digests_of_these_alone
from runs.rows import epoch_record, study_record, trial_record
from runs.storage import (
    AwayError,
    StorageError,
    check_sqlite_file,
    describe,
    engine_for,
    exists,
    is_away,
    parse_storage,
    reason,
)
from runs.tables import CostRow, EpochRow, StudyRow, TrialRow
from space.errors import ConfigError, listed, nearest
from space.families import UnknownFamilyError

T = TypeVar("T")

_MET_BY_EVERY_RECORD = ("ck_run_trial_state", "ck_run_trial_origin")
"""Constraints that only a database with a damaged schema can find violated."""


class UnknownStudyError(StorageError):
    """There is no study of that name in the database, or no trial of that number in the study."""


@dataclass(frozen=True, eq=False)
class Reading:
    """A study as it was at one moment."""

    study: StudyRecord
    trials: list[TrialRecord]
    """In the order of their numbers."""
    holder: Holder | None
    """The process that ran it."""


class Reader:
    """Reads studies, trials and epochs as records."""

    def __init__(self, engine: sa.Engine, where: str) -> None:
        self._engine = engine
        self.where = where
        """The database as a person is told of it; a password in its URL is hidden."""

    def studies(self) -> list[StudyRecord]:
        """All studies, the newest first."""
        query = sa.select(StudyRow).order_by(StudyRow.id.desc())
        return self._read(lambda session: [study_record(row) for row in session.scalars(query)])

    def study(self, name: str) -> StudyRecord:
        """The study of that name.

        Raises:
            UnknownStudyError: there is none.
        """
        return self._read(lambda session: study_record(self._study_row(session, name)))

    def study_begun(self, moment: object) -> StudyRecord | None:
        """The study that began at that moment, in ISO format, whatever it is called by now."""
        return next((s for s in self.studies() if s.created_at.isoformat() == moment), None)

    def trials(self, study: str) -> list[TrialRecord]:
        """All trials of a study in the order of their numbers.

        Raises:
            UnknownStudyError: there is no such study.
        """
        return self._read(
            lambda session: self._trial_records(session, self._study_row(session, study).id)
        )

    def read(self, study: str, before: Reading | None = None) -> Reading:
        """A study with its trials; quicker where an earlier reading has most of them.

        While one process holds a study no other writes to it, and it writes to no trial that
        has ended, unless it failed and is tried again: of those an earlier reading has, only these
        and the ones that ran are read again then.

        Raises:
            UnknownStudyError: there is no such study.
        """

        def read(session: Session) -> Reading:
            row = self._study_row(session, study)
            found, holder = study_record(row), find_holder(session, study)
            known: list[TrialRecord] = []
            if before and holder and (found, holder) == (before.study, before.holder):
                known = before.trials
            open_ = [t for t in known if t.state is State.RUNNING or t.may_be_tried_again]
            ran = {t.number for t in open_}
            ended = [t for t in known if t.number not in ran]
            last = known[-1].number if known else -1
            unknown = sa.or_(TrialRow.number > last, TrialRow.number.in_(ran))
            new = self._trial_records(session, row.id, unknown)
            return Reading(found, sorted([*ended, *new], key=lambda t: t.number), holder)

        return self._read(read)

    def trial(self, study: str, number: int) -> TrialRecord:
        """One trial.

        Raises:
            UnknownStudyError: there is no such study or no such trial in it.
        """

        def read(session: Session) -> TrialRecord:
            row = self._trial_row(session, study, number)
            columns = {column.name: getattr(row, column.name) for column in TrialRow.__table__.c}
            return trial_record(columns, self._costs(session, TrialRow.id == row.id).get(row.id))

        return self._read(read)

    def identities(self, study: str) -> dict[int, tuple[str, str]]:
        """Family and configuration's digest, as they are stored beside it, by number.

        Raises:
            UnknownStudyError: there is no such study.
        """

        def read(session: Session) -> dict[int, tuple[str, str]]:
            query = sa.select(TrialRow.number, TrialRow.family, TrialRow.config_digest)
            rows = session.execute(
                query.where(TrialRow.study_id == self._study_row(session, study).id).order_by(
                    TrialRow.number
                )
            )
            return {number: (family, digest) for number, family, digest in rows}

        return self._read(read)

    def epochs(self, study: str, trial: int | None = None) -> list[EpochRecord]:
        """The learning curves of a study, or of one of its trials, ordered by trial and epoch.

        Raises:
            UnknownStudyError: there is no such study.
        """

        def read(session: Session) -> list[EpochRecord]:
            query = (
                sa.select(EpochRow.__table__, TrialRow.number)
                .join(TrialRow, EpochRow.trial_id == TrialRow.id)
                .where(TrialRow.study_id == self._study_row(session, study).id)
                .order_by(TrialRow.number, EpochRow.epoch)
            )
            if trial is not None:
                query = query.where(TrialRow.number == trial)
            return [epoch_record(row, row.number) for row in session.execute(query)]

        return self._read(read)

    def curves(self, study: str) -> dict[int, list[float]]:
        """Validation accuracies by epoch, of the trials by number; only those that have some.

        Raises:
            UnknownStudyError: there is no such study.
        """

        def read(session: Session) -> dict[int, list[float]]:
            found: dict[int, list[float]] = {}
            rows = session.execute(
                sa.select(TrialRow.number, EpochRow.validation_accuracy)
                .join(TrialRow, EpochRow.trial_id == TrialRow.id)
                .where(TrialRow.study_id == self._study_row(session, study).id)
                .order_by(TrialRow.number, EpochRow.epoch)
            )
            for number, accuracy in rows:
                found.setdefault(number, []).append(accuracy)
            return found

        return self._read(read)

    def weights(self, study: str) -> dict[int, WeightsRecord]:
        """The weights that are kept of a study's trials, by number.

        Raises:
            UnknownStudyError: there is no such study.
        """
        found = self._of_study(study, kept_rows.weights_of)
        return {record.trial: record for record in found}

    def own_digests(self, studies: Collection[str]) -> list[str]:
        """Digests of the weights that trials of these studies have, and of no other one."""
        return self._read(lambda session: digests_of_these_alone(session, studies))

    def image_results(self, study: str, split: str) -> dict[int, ImageResults]:
        """Which images of a split the trials of a study predict right, by number.

        Raises:
            UnknownStudyError: there is no such study.
        """
        found = self._of_study(study, kept_rows.image_results, split)
        return {results.trial: results for results in found}

    def confirmations(self, study: str) -> list[ConfirmationRecord]:
        """The confirmations of a study, the oldest first.

        Raises:
            UnknownStudyError: there is no such study.
        """
        return self._of_study(study, kept_rows.confirmations)

    def kept_results(self, study: str) -> KeptResults:
        """All that is kept of a study besides its trials and their curves.

        Raises:
            UnknownStudyError: there is no such study.
        """
        return self._of_study(study, kept_rows.kept_of)

    def counts(self, study: str) -> RowCounts:
        """How many trials, epochs, confirmations, notes and readings a study has.

        Raises:
            UnknownStudyError: there is no such study.
        """
        return self._of_study(study, count_rows)

    def test_readings(self, test_digest: str) -> list[TestReading]:
        """The readings of a test split, for any study of the database or none, the oldest first."""
        return self._read(lambda session: kept_rows.readings_of(session, test_digest))

    def study_readings(self, study: str) -> list[TestReading]:
        """The readings of test splits for a study, the oldest first.

        Raises:
            UnknownStudyError: there is no such study.
        """
        return self._of_study(study, kept_rows.readings)

    def notes(self, study: str) -> list[Note]:
        """The notes on a study and its trials, the oldest first.

        Raises:
            UnknownStudyError: there is no such study.
        """
        return self._of_study(study, kept_rows.notes)

    def holder(self, study: str) -> Holder | None:
        """The process that runs the study, or ran it when its machine failed; None: none does."""
        return self._read(lambda session: find_holder(session, study))

    def _read(self, read: Callable[[Session], T]) -> T:
        """What `read` returns, of one transaction; a row that cannot be read becomes a sentence."""
        try:
            with self._session() as session:
                return read(session)
        except UnknownFamilyError as error:
            raise StorageError(
                f"storage {self.where} holds trials that cannot be read here: {error}"
            ) from error
        except (ConfigError, TypeError) as error:  # what we never write
            raise self._damaged(error) from error

    @contextmanager
    def _session(self) -> Iterator[Session]:
        """One transaction; a failure of the database becomes a sentence."""
        try:
            with Session(self._engine) as session, session.begin():
                yield session
        except sa.exc.IntegrityError as error:
            if any(name in str(error.orig) for name in _MET_BY_EVERY_RECORD):
                raise StorageError(
                    f"storage {self.where} is damaged, it refuses what it was made for "
                    f"({reason(error)}); restore it from a copy"
                ) from error
            raise  # a bug of ours, not of the database
        except (sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
            kind = AwayError if is_away(error) else StorageError
            raise kind(f"storage {self.where}: {reason(error)}") from error
        except (OverflowError, UnicodeEncodeError) as error:
            raise StorageError(
                f"storage {self.where} can hold no such name or number ({error}); use another"
            ) from error
        except ValueError as error:  # no text, time or JSON, where the driver reads one
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> StorageError:
        return StorageError(
            f"storage {self.where} is damaged, a row cannot be read ({error}); "
            "restore it from a copy"
        )

    def _trial_records(
        self, session: Session, study_id: int, *where: sa.ColumnElement[bool]
    ) -> list[TrialRecord]:
        wanted = TrialRow.study_id == study_id, *where
        query = sa.select(TrialRow.__table__).where(*wanted).order_by(TrialRow.number)
        costs = self._costs(session, *wanted)
        found = session.execute(query)
        names = tuple(found.keys())
        rows = (dict(zip(names, row, strict=True)) for row in found)  # SQLAlchemy's look up slowly
        return [trial_record(row, costs.get(row["id"])) for row in rows]

    def _costs(
        self, session: Session, *where: sa.ColumnElement[bool]
    ) -> dict[int, dict[str, float]]:
        """What trials cost besides their counts, by the key of a trial and the cost's name."""
        found: dict[int, dict[str, float]] = {}
        query = sa.select(CostRow.__table__).join(TrialRow, CostRow.trial_id == TrialRow.id)
        for trial, name, value in session.execute(query.where(*where)):
            found.setdefault(trial, {})[name] = value
        return found

    def _of_study(self, study: str, read: Callable[..., T], *rest: str) -> T:
        """What `read` returns, given a session, the key of a study and the rest."""
        return self._read(lambda session: read(session, self._study_row(session, study).id, *rest))

    def _study_row(self, session: Session, name: str) -> StudyRow:
        row = session.scalar(sa.select(StudyRow).where(StudyRow.name == name))
        if row is None:
            rows = session.execute(
                sa.select(StudyRow.name, StudyRow.spec).order_by(StudyRow.id.desc())
            )
            known = [known for known, spec in rows if "rate_of" not in spec]
            names = listed([repr(name) for name in known], 10)
            there = f"there are: {names}" if known else "there is none yet"
            raise UnknownStudyError(
                f"study {name!r} is not in {self.where}{nearest(str(name), known)}; {there}"
            )
        return row

    def _trial_row(self, session: Session, study: str, number: int) -> TrialRow:
        study_id = self._study_row(session, study).id
        row = session.scalar(
            sa.select(TrialRow).where(TrialRow.study_id == study_id, TrialRow.number == number)
        )
        if row is None:
            last = session.scalar(
                sa.select(sa.func.max(TrialRow.number)).where(TrialRow.study_id == study_id)
            )
            there = "it has none yet" if last is None else f"its trials are 0 to {last}"
            raise UnknownStudyError(f"study {study!r} has no trial {number}; {there}")
        return row


@contextmanager
def open_reader(storage: str | None = None) -> Iterator[Reader]:
    """Opens a database that is there, read-only.

    Raises:
        StorageError: it is not there, not ours, or of another schema version.
    """
    url = parse_storage(storage)
    where = describe(url)
    if url.get_backend_name() == "sqlite":
        path = Path(str(url.database))
        if not exists(path):
            raise StorageError(
                f"storage {path} does not exist; start a search first "
                "(python -m search.run --study mixer_digits) or name the database with --storage"
            )
        check_sqlite_file(path)
        url = url.set(database=str(path.absolute()))
    reader = Reader(_engine_to_read(url), where)
    try:
        with reader._session() as session:
            schema.check(session.connection())
        yield reader
    finally:
        reader._engine.dispose()


@lru_cache(maxsize=8)
def _engine_to_read(url: URL) -> sa.Engine:
    """The same for the same database: it keeps the SQL it has compiled, and no connection."""
    return engine_for(url, read_only=True)
