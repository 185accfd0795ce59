"""A study of ours as a study of Optuna's, for its dashboard, its plots and its samplers.

A copy, made once: our database stays the only truth, and nothing goes the other way.
"""

from __future__ import annotations

import math
import os
import uuid
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import reduce
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from runs.foreign_tables import holds_ours
from runs.reader import open_reader
from runs.record import Origin, State, StudyRecord, TrialRecord
from runs.storage import StorageError, describe, parse_storage
from space.config import ImageTask

_STATES = {
    State.COMPLETE: TrialState.COMPLETE,
    State.PRUNED: TrialState.PRUNED,
    State.FAILED: TrialState.FAIL,
    State.REFUSED: TrialState.FAIL,  # it never began: there is nothing to learn from it
}
"""Of trials that have ended; a copy of one that runs would run for ever."""

_NO_PARAMETERS = {*ImageTask.model_fields, "family"}


def to_optuna(study: str, out: str, *, storage: str | None = None, name: str | None = None) -> int:
    """Writes a study into a database of Optuna's, which is made where it is not there.

    Two objectives: accuracy, maximised, and the study's cost, minimised. Parameters are the fields
    of the configurations, and `family` where there are several; learning curves (validation
    accuracy by epoch) are intermediate values; the rest is in user attributes. A study that asks
    for a least accuracy has it as a constraint. Trials that have not ended are left out, and those
    that confirm others: Optuna knows no seeds.

    Args:
        study: its name here.
        out: URL of the database to write to: `sqlite:///optuna.db`.
        storage: URL of the database to read; None for the default.
        name: what the study is called there; None: as here.

    Returns:
        How many trials were written.

    Raises:
        StorageError: there is no such study here, there is one of that name there, that database
            is one of ours, or cannot be written.
    """
    with open_reader(storage) as store:
        record, trials, curves = store.study(study), store.trials(study), store.curves(study)
    name = name or study
    wanted = [t for t in trials if t.state in _STATES and t.origin is not Origin.CONFIRMATION]
    frozen = frozen_trials(record, wanted, curves)
    with _database(out) as url, _storage(url) as database:
        try:
            target = optuna.create_study(
                study_name=name, storage=database, directions=["maximize", "minimize"]
            )
        except DuplicatedStudyError:
            raise StorageError(
                f"--out {describe(parse_storage(out))} has a study {name!r} already; "
                "give it another name with --name"
            ) from None
        try:
            with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
                target.set_metric_names(["accuracy", record.cost.name])
            for key, value in _study_attrs(record).items():
                target.set_user_attr(key, value)
            target.add_trials(frozen)
        except BaseException:  # Ctrl-C too: all of it is there, or nothing
            optuna.delete_study(study_name=name, storage=database)
            raise
    return len(frozen)


def frozen_trials(
    study: StudyRecord, trials: Sequence[TrialRecord], curves: dict[int, list[float]]
) -> list[FrozenTrial]:
    """Trials that have ended as Optuna has them, given their curves by number."""
    distributions = _distributions(study, trials)
    return [_frozen(study, trial, curves.get(trial.number, []), distributions) for trial in trials]


def _frozen(
    study: StudyRecord,
    trial: TrialRecord,
    curve: Sequence[float],
    distributions: dict[str, BaseDistribution],
) -> FrozenTrial:
    params = {k: v for k, v in _parameters(trial).items() if k in distributions}
    is_complete = trial.state is State.COMPLETE
    least = study.min_accuracy if trial.origin is Origin.SEARCH else 0.0
    frozen = create_trial(
        state=_STATES[trial.state],
        values=[trial.accuracy or 0.0, float(trial.cost(study.cost) or 0)] if is_complete else None,
        params=params,
        distributions={key: distributions[key] for key in params},
        intermediate_values=dict(enumerate(curve, start=1)),
        user_attrs=_attrs(study, trial),
        constraints={"min_accuracy": least - (trial.accuracy or 0.0)}
        if is_complete and least
        else None,
    )
    frozen.datetime_start = _local(trial.started_at)
    frozen.datetime_complete = _local(trial.finished_at or trial.started_at)
    return frozen


def _attrs(study: StudyRecord, trial: TrialRecord) -> dict[str, Any]:
    """What is known of a trial besides its parameters; what is not known is left out."""
    timing, environment = trial.timing, trial.environment
    found = {
        "trial": trial.number,
        "label": trial.label,
        "family": trial.family,
        "origin": trial.origin.value,
        "state": trial.state.value,
        "seed": trial.seed,
        "epochs": trial.epochs,
        "rung": trial.rung,
        "parent": trial.parent,
        "accuracy": trial.accuracy,
        "loss": trial.loss,
        "params": trial.params,
        "macs": trial.macs,
        "flops": trial.flops,
        **trial.costs,
        "error": trial.error,
        "failure": trial.failure and trial.failure.value,
        "train_seconds": timing and timing.train_seconds,
        "images_per_second": timing and timing.images_per_second,
        "device_kind": environment and environment.device_kind,
    }
    return {key: value for key, value in found.items() if value is not None}


def _study_attrs(study: StudyRecord) -> dict[str, Any]:
    return {
        "mixer_search_study": study.name,
        "created_at": study.created_at.isoformat(),
        "data_digest": study.data_digest,
        "num_classes": study.num_classes,
        "spec": study.spec,
    }


def _parameters(trial: TrialRecord) -> dict[str, Any]:
    """Fields of its configuration that are its own, not the images'; and its family."""
    return {"family": trial.family} | trial.config.model_dump(exclude=_NO_PARAMETERS)


def _distributions(
    study: StudyRecord, trials: Sequence[TrialRecord]
) -> dict[str, BaseDistribution]:
    """By name, what holds the values of the study's space and those of the trials.

    A name means the same in all families, and has one distribution, as Optuna wants it.
    """
    values: dict[str, set[Any]] = {}
    for ranges in _ranges(study):
        for name, found in ranges.items():
            values.setdefault(name, set()).update(found)
    for trial in trials:
        for name, value in _parameters(trial).items():
            values.setdefault(name, set()).add(value)
    if len(values.get("family", ())) < 2:
        values.pop("family", None)
    return {name: _distribution(found) for name, found in values.items()}


def _ranges(study: StudyRecord) -> Iterator[dict[str, list[int]]]:
    """Of every family; an older version knew one family, whose ranges were all of the space."""
    space = study.spec.get("space") or {}
    yield from space.values() if all(isinstance(v, dict) for v in space.values()) else [space]


def _distribution(values: set[Any]) -> BaseDistribution:
    if not all(isinstance(value, int) for value in values):
        return CategoricalDistribution(sorted(values, key=str))
    low = min(values)
    step = reduce(math.gcd, (value - low for value in values))
    return IntDistribution(low, max(values), step=step or 1)


def _local(time: datetime) -> datetime:
    """As Optuna has it: the machine's own time, without a zone."""
    return time.astimezone().replace(tzinfo=None)


@contextmanager
def _storage(url: str) -> Iterator[RDBStorage]:
    """Optuna's storage, which lets go of the database at the end."""
    try:
        storage = RDBStorage(url)
    except RuntimeError as error:  # of an older version of Optuna
        raise StorageError(f"--out {describe(parse_storage(url))}: {error}") from None
    try:
        yield storage
    except StorageInternalError as error:
        where, reason = describe(parse_storage(url)), error.__cause__ or error
        raise StorageError(f"--out {where} cannot be written ({reason})") from None
    finally:
        storage.remove_session()
        storage.engine.dispose()


@contextmanager
def _database(out: str) -> Iterator[str]:
    """The URL to write to: of a SQLite file that is not there yet one that takes its name last."""
    url = parse_storage(out)
    if holds_ours(out):
        raise StorageError(
            f"--out {describe(url)} is a database of this program, in which Optuna would make "
            "tables of its own; name another file"
        )
    if url.get_backend_name() != "sqlite":
        yield url.render_as_string(hide_password=False)
        return
    path = Path(str(url.database))
    if path.exists() and path.stat().st_size:
        yield f"sqlite:///{path}"
        return
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.touch()
        yield f"sqlite:///{unfinished}"
        os.replace(unfinished, path)
    except OSError as error:
        raise StorageError(
            f"--out {path} cannot be written ({error.strerror}); name another file"
        ) from None
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            Path(f"{unfinished}{suffix}").unlink(missing_ok=True)
