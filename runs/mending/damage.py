"""What is wrong with the tables of a database, and what can be done about each thing."""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from runs.mending import legible
from runs.mending.contradictions import contradictions, reconciled
from runs.mending.legible import LegibleTrial, bad_bytes_written_out
from runs.record import EpochRecord, State, StudyRecord, TrialRecord
from runs.rows import digest, trial_columns
from runs.storage import StorageError
from runs.tables import Base, EpochRow, StudyRow, TrialRow
from space.cost import cost

_OF_AN_INDEX = re.compile("missing from index|wrong # of entries|non-unique entry")
_OF_A_ROW = re.compile("CHECK constraint failed|NULL value in|NUMERIC value in|TEXT value in")
"""What SQLite's integrity check says of content: each has a problem of its own here."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something that a search never writes."""

    sentence: str
    mend: Callable[[sa.Connection], str] | None = None
    """Does what can be done, and says what that was; None where nothing can be done."""


@dataclass(frozen=True)
class Aside:
    """A file of JSON lines in which rows are kept that are taken out of a database."""

    file: Path

    def take(self, connection: sa.Connection, table: type, where: Any) -> int:
        """Takes rows out of a table; how many there were."""
        rows = sa.select(sa.text("*")).select_from(table).where(where)
        with bad_bytes_written_out(connection):
            found = [dict(row) for row in connection.execute(rows).mappings()]
        name = table.__tablename__  # type: ignore[attr-defined]
        lines = [json.dumps({"table": name, "row": row}, default=str) for row in found]
        if lines:
            try:
                self.file.parent.mkdir(parents=True, exist_ok=True)
                with self.file.open("a", encoding="ascii") as stream:
                    stream.write("".join(f"{line}\n" for line in lines))
                    stream.flush()
                    os.fsync(stream.fileno())
            except OSError as error:
                raise StorageError(
                    f"what is taken out of the database cannot be kept in {self.file} "
                    f"({error.strerror}); make room there: nothing was changed"
                ) from None
        connection.execute(sa.delete(table).where(where))
        return len(found)

    def take_trials(self, connection: sa.Connection, where: Any) -> None:
        """Takes out trials and their curves."""
        theirs = EpochRow.trial_id.in_(sa.select(TrialRow.id).where(where))
        self.take(connection, EpochRow, theirs)
        self.take(connection, TrialRow, where)


def damaged_pages(connection: sa.Connection) -> str | None:
    """What is wrong with the pages of the file, which hides what is in them; None if nothing is."""
    lines = _integrity(connection)
    found = [ln for ln in lines if not _OF_AN_INDEX.search(ln) and not _OF_A_ROW.search(ln)]
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    if not found:
        return None
    return f"the file's pages are damaged ({found[0]}{more}); restore it from a copy"


def problems(connection: sa.Connection, aside: Aside) -> Iterator[Problem]:
    """What is wrong with rows and indexes that can be read, one a row or thing."""
    lines = _integrity(connection)
    of_indexes = [line for line in lines if _OF_AN_INDEX.search(line)]
    if of_indexes:
        said = f"an index does not fit its table ({of_indexes[0]})"
        yield Problem(sentence=said, mend=_make_indexes_anew)
    yield from (Problem(sentence=line) for line in lines if _OF_A_ROW.search(line))
    yield from _missing_indexes(connection)
    yield from _orphans(connection, aside)
    for study in legible.studies(connection):
        if study.record is None:
            said = f"study {study.name!r} cannot be read ({study.why}); restore it from a copy"
            yield Problem(sentence=said)
            continue
        trials = legible.trials(connection, study.key)
        of = partial("study {!r}, trial {}: {}".format, study.name)
        yield from _trial_problems(trials, epochs_asked(study.record), of, aside)


def epochs_asked(study: StudyRecord) -> int | None:
    """How many epochs a study trains its trials; None where it does not say."""
    recipe = study.spec.get("recipe")
    asked = recipe.get("epochs") if isinstance(recipe, dict) else None
    return asked if type(asked) is int else None


def says_more(trial: TrialRecord, epochs: int) -> tuple[int, int]:
    """Of two records of one trial the greater of these is to be kept."""
    rank = {State.RUNNING: 0, State.FAILED: 1}.get(trial.state, 2)
    return rank, epochs


def tried(trial: TrialRecord) -> tuple[object, ...]:
    """Equal for two records of one trial, whatever their numbers."""
    if trial.state is State.REFUSED:
        return trial.config, trial.seed, trial.started_at
    return trial.config, trial.seed


def _trial_problems(
    trials: Sequence[LegibleTrial],
    asked: int | None,
    of: Callable[[Any, str], str],
    aside: Aside,
) -> Iterator[Problem]:
    """One a trial at most: what is done about it may bring up the next."""
    sound: list[tuple[LegibleTrial, TrialRecord]] = []
    for trial in trials:
        record, why = trial.record, trial.why
        if record is not None and trial.config_digest != digest(record.config):
            bill = cost(record.config)
            if (bill.params, bill.macs) == (record.params, record.macs):
                sound.append((trial, record))
                continue
            record, why = None, "its configuration is not the one that was trained"
        if record is None:
            yield Problem(sentence=of(trial.number, why), mend=_taken_out(trial.key, aside))
        else:
            sound.append((trial, record))
    same: dict[tuple[object, ...], list[tuple[LegibleTrial, TrialRecord]]] = defaultdict(list)
    for trial, record in sound:
        if record.state is not State.REFUSED:
            same[tried(record)].append((trial, record))
    for trial, record in sound:
        others = same.get((record.config, record.seed), [])
        if record.state is not State.REFUSED:
            best, _ = max(others, key=lambda pair: says_more(pair[1], len(pair[0].curve)))
            if best is not trial:
                said = f"is of the configuration and seed of trial {best.number}"
                yield Problem(sentence=of(trial.number, said), mend=_taken_out(trial.key, aside))
                continue
        wrong = [trial.why] if trial.why else []
        if trial.config_digest != digest(record.config):
            wrong.append("its digest is not that of its configuration")
        wrong += contradictions(record, trial.curve, asked)
        if wrong:
            is_tried = record.state is State.REFUSED and bool(others)
            made, kept = reconciled(record, trial.curve, asked, is_tried=is_tried)
            yield Problem(
                sentence=of(trial.number, "; ".join(wrong)),
                mend=_made_so(trial, record, made, kept, aside),
            )


def _taken_out(key: int, aside: Aside) -> Callable[[sa.Connection], str]:
    def mend(connection: sa.Connection) -> str:
        aside.take_trials(connection, TrialRow.id == key)
        return f"taken out, and kept in {aside.file}"

    return mend


def _made_so(
    trial: LegibleTrial,
    before: TrialRecord,
    record: TrialRecord,
    kept: Sequence[EpochRecord],
    aside: Aside,
) -> Callable[[sa.Connection], str]:
    def mend(connection: sa.Connection) -> str:
        mine = TrialRow.id == trial.key
        columns = trial_columns(record)
        connection.execute(sa.update(TrialRow).where(mine).values(columns))
        rest = sa.and_(
            EpochRow.trial_id == trial.key, sa.not_(EpochRow.epoch.between(1, len(kept)))
        )
        taken = aside.take(connection, EpochRow, rest)
        said = "put right"
        if record.state is not before.state:
            said = f"it is {record.state.value} now"
        if record.state is State.RUNNING:
            said += ": the command of its study trains it again"
        if taken:
            said += f"; {taken} epochs taken out, and kept in {aside.file}"
        return said

    return mend


def _integrity(connection: sa.Connection) -> list[str]:
    """What SQLite says of its pages and indexes; a server looks after its own."""
    if connection.dialect.name != "sqlite":
        return []
    try:
        lines = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
    except sa.exc.DatabaseError as error:
        lines = [str(error.orig)]
    return [line for line in map(str, lines) if line != "ok"]


def _make_indexes_anew(connection: sa.Connection) -> str:
    connection.exec_driver_sql("REINDEX")
    return "made anew"


def _missing_indexes(connection: sa.Connection) -> Iterator[Problem]:
    for table in Base.metadata.sorted_tables:
        there = {index["name"] for index in sa.inspect(connection).get_indexes(table.name)}
        for index in table.indexes:
            if index.name in there:
                continue

            def mend(connection: sa.Connection, index: sa.Index = index) -> str:
                index.create(connection)
                return "made anew"

            yield Problem(sentence=f"the index {index.name} is missing", mend=mend)


def _orphans(connection: sa.Connection, aside: Aside) -> Iterator[Problem]:
    """Rows that belong to nothing, by what they say they belong to."""
    trial_keys, study_keys = sa.select(TrialRow.id), sa.select(StudyRow.id)
    lost = EpochRow.trial_id.not_in(trial_keys)
    for key in connection.scalars(sa.select(EpochRow.trial_id).where(lost).distinct()).all():

        def drop_epochs(connection: sa.Connection, key: int = key) -> str:
            count = aside.take(connection, EpochRow, EpochRow.trial_id == key)
            return f"{count} epochs taken out, and kept in {aside.file}"

        yield Problem(sentence=f"there are epochs of no trial (key {key})", mend=drop_epochs)
    lost = TrialRow.study_id.not_in(study_keys)
    for key in connection.scalars(sa.select(TrialRow.study_id).where(lost).distinct()).all():

        def drop_trials(connection: sa.Connection, key: int = key) -> str:
            aside.take_trials(connection, TrialRow.study_id == key)
            return f"taken out with their curves, and kept in {aside.file}"

        yield Problem(sentence=f"there are trials of no study (key {key})", mend=drop_trials)
