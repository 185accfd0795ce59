"""Records to table columns and back; a round trip gives an equal record."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from runs.record import (
    Environment,
    EpochRecord,
    Failure,
    Origin,
    State,
    StudyRecord,
    Timing,
    TrialRecord,
)
from runs.tables import StudyRow
from space.config import Config
from space.families import parse_config


def digest(config: Config) -> str:
    """Equal for equal configurations, whatever the order of their fields."""
    text = json.dumps(config.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def study_columns(study: StudyRecord) -> dict[str, Any]:
    return asdict(study)


def study_record(row: StudyRow) -> StudyRecord:
    return StudyRecord(
        name=row.name,
        spec=row.spec,
        num_classes=row.num_classes,
        data_digest=row.data_digest,
        flops_ceiling=row.flops_ceiling,
        created_at=row.created_at,
    )


def trial_columns(trial: TrialRecord) -> dict[str, Any]:
    timing, environment = trial.timing, trial.environment
    return {
        "number": trial.number,
        "state": trial.state.value,
        "origin": trial.origin.value,
        "family": trial.family,
        "config": trial.config.model_dump(mode="json"),
        "config_digest": digest(trial.config),
        "params": trial.params,
        "macs": trial.macs,
        "seed": trial.seed,
        "epochs": trial.epochs,
        "rung": trial.rung,
        "accuracy": trial.accuracy,
        "loss": trial.loss,
        "compile_seconds": timing and timing.compile_seconds,
        "train_seconds": timing and timing.train_seconds,
        "eval_seconds": timing and timing.eval_seconds,
        "images_per_second": timing and timing.images_per_second,
        "trace_seconds": timing and timing.trace_seconds,
        "cache_hit": timing and timing.cache_hit,
        "device_bytes": timing and timing.device_bytes,
        "wall_seconds": trial.wall_seconds,
        "num_workers": trial.num_workers,
        "device_kind": environment and environment.device_kind,
        "versions": environment and environment.versions,
        "git_revision": environment and environment.git_revision,
        "error": trial.error,
        "failure": trial.failure and trial.failure.value,
        "timeout_seconds": trial.timeout_seconds,
        "sampler_attrs": trial.sampler_attrs,
        "started_at": trial.started_at,
        "finished_at": trial.finished_at,
    }


def trial_record(row: Any) -> TrialRecord:
    """The trial of a row.

    Raises:
        TypeError: a column holds a text where a number belongs, as SQLite lets it.
    """
    numbers = (row.number, row.params, row.macs, row.seed, row.epochs, row.rung)
    if not all(value is None or isinstance(value, int) for value in numbers):
        raise TypeError(f"a number of trial {row.number!r} is none")
    timing = environment = None
    if row.train_seconds is not None:
        timing = Timing(
            compile_seconds=row.compile_seconds,
            train_seconds=row.train_seconds,
            eval_seconds=row.eval_seconds,
            images_per_second=row.images_per_second,
            trace_seconds=row.trace_seconds,
            cache_hit=row.cache_hit,
            device_bytes=row.device_bytes,
        )
    if row.device_kind is not None:
        environment = Environment(
            device_kind=row.device_kind, versions=row.versions, git_revision=row.git_revision
        )
    return TrialRecord(
        number=row.number,
        state=State(row.state),
        origin=Origin(row.origin),
        config=parse_config(row.config),
        params=row.params,
        macs=row.macs,
        seed=row.seed,
        epochs=row.epochs,
        rung=row.rung,
        accuracy=row.accuracy,
        loss=row.loss,
        timing=timing,
        wall_seconds=row.wall_seconds,
        num_workers=row.num_workers,
        environment=environment,
        error=row.error,
        failure=None if row.failure is None else Failure(row.failure),
        timeout_seconds=row.timeout_seconds,
        sampler_attrs=row.sampler_attrs,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def epoch_columns(epoch: EpochRecord) -> dict[str, Any]:
    """All but the trial, which the row knows by its key."""
    columns = asdict(epoch)
    del columns["trial"]
    return columns


def epoch_record(row: Any, number: int) -> EpochRecord:
    return EpochRecord(
        trial=number,
        epoch=row.epoch,
        train_loss=row.train_loss,
        train_accuracy=row.train_accuracy,
        validation_loss=row.validation_loss,
        validation_accuracy=row.validation_accuracy,
        learning_rate=row.learning_rate,
        elapsed_seconds=row.elapsed_seconds,
    )
