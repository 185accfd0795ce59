"""Records to table columns and back; a round trip gives an equal record.

A column has the name of its field; the fields of a trial's timing and environment lie in the
trial's own row, its costs in rows of their own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from runs.record import (
    ConfirmationRecord,
    Environment,
    EpochRecord,
    Failure,
    ImageResults,
    Note,
    Origin,
    State,
    StudyRecord,
    TestReading,
    Timing,
    TrialRecord,
)
from runs.tables import ConfirmationRow, NoteRow, ReadingRow, StudyRow
from space.config import Config
from space.families import parse_config


def _names(record: type) -> list[str]:
    return [field.name for field in fields(record)]


_TIMING = _names(Timing)
_ENVIRONMENT = _names(Environment)
_PLAIN = sorted(
    set(_names(TrialRecord))
    - {"state", "origin", "config", "failure", "timing", "environment"}  # which are converted
    - {"costs"}  # which have a table of their own
)
_EPOCH = sorted({*_names(EpochRecord)} - {"trial"})
_IMAGE_RESULTS = sorted({*_names(ImageResults)} - {"trial"})
_READING = sorted({*_names(TestReading)} - {"study"})
_NUMBERS = ("number", "params", "macs", "seed", "epochs", "rung", "parent")


def digest(config: Config) -> str:
    """Equal for equal configurations, whatever the order of their fields."""
    text = json.dumps(config.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def study_columns(study: StudyRecord) -> dict[str, Any]:
    return asdict(study)


def study_record(row: StudyRow) -> StudyRecord:
    return StudyRecord(**{name: getattr(row, name) for name in _names(StudyRecord)})


def trial_columns(trial: TrialRecord) -> dict[str, Any]:
    return {
        **{name: getattr(trial, name) for name in _PLAIN},
        **{name: getattr(trial.timing, name, None) for name in _TIMING},
        **{name: getattr(trial.environment, name, None) for name in _ENVIRONMENT},
        "state": trial.state.value,
        "origin": trial.origin.value,
        "failure": trial.failure and trial.failure.value,
        "family": trial.family,
        "config": trial.config.model_dump(mode="json"),
        "config_digest": digest(trial.config),
    }


def trial_record(row: Mapping[str, Any], costs: Mapping[str, float] | None = None) -> TrialRecord:
    """The trial of a row's columns by name, and of the rows of its costs by name.

    Raises:
        TypeError: a column holds a text where a number belongs, as SQLite lets it.
    """
    numbers = [row[name] for name in _NUMBERS]
    if not all(value is None or isinstance(value, int) for value in numbers):
        raise TypeError(f"a number of trial {row['number']!r} is none")
    failure = row["failure"]
    timed, placed = row["train_seconds"] is not None, row["device_kind"] is not None
    return TrialRecord(
        **{name: row[name] for name in _PLAIN},
        state=State(row["state"]),
        origin=Origin(row["origin"]),
        failure=None if failure is None else Failure(failure),
        config=parse_config(row["config"]),
        timing=Timing(**{name: row[name] for name in _TIMING}) if timed else None,
        environment=Environment(**{name: row[name] for name in _ENVIRONMENT}) if placed else None,
        costs=dict(costs or {}),
    )


def epoch_columns(epoch: EpochRecord) -> dict[str, Any]:
    """All but the trial, which the row knows by its key."""
    return {name: getattr(epoch, name) for name in _EPOCH}


def epoch_record(row: Any, number: int) -> EpochRecord:
    return EpochRecord(trial=number, **{name: getattr(row, name) for name in _EPOCH})


def image_result_columns(results: ImageResults) -> dict[str, Any]:
    """All but the trial, which the row knows by its key."""
    return {name: getattr(results, name) for name in _IMAGE_RESULTS}


def image_results_of(row: Any, number: int) -> ImageResults:
    return ImageResults(trial=number, **{name: getattr(row, name) for name in _IMAGE_RESULTS})


def confirmation_record(row: ConfirmationRow) -> ConfirmationRecord:
    return ConfirmationRecord(**{name: getattr(row, name) for name in _names(ConfirmationRecord)})


def reading_columns(reading: TestReading) -> dict[str, Any]:
    """All but the study, which the row knows by its key."""
    return {name: getattr(reading, name) for name in _READING}


def reading_record(row: ReadingRow, study: str | None) -> TestReading:
    return TestReading(study=study, **{name: getattr(row, name) for name in _READING})


def note_record(row: NoteRow) -> Note:
    return Note(**{name: getattr(row, name) for name in _names(Note)})
