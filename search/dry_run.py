"""What a study would take, found out without writing or training anything."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from rich.console import Console

from runs.reader import open_reader
from runs.record import Origin, State, TrialRecord
from runs.storage import StorageError, beside
from search.bench.result import NetworkSpeed, last_result
from search.data import DataError, find_task
from search.data.loading import to_stderr
from search.data.source import Request
from search.data.sources import open_source
from search.report.lines import print_line
from search.spec.studies import StudySpec
from search.study.plan import Plan, epoch_steps, plan, reachable
from search.study.rate_tuning import is_to_be_tuned, rate_studies, tuning_networks
from space.command import print_json
from space.config import Config, ImageTask
from space.cost import cost
from space.costs import find_cost
from space.quantities import counted, format_count, format_seconds

_TRIAL_BYTES, _EPOCH_BYTES = 2_000, 200
"""Of a trial and of an epoch in the database, indices included, rounded up."""
_CHECKPOINT_BYTES = 12
"""A parameter: its weight and two moments, in float32."""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a study would train, and roughly what that would take."""

    study: str
    dataset: str
    trials: int
    """Configurations of the search, those that are finished left out."""
    finished_trials: int
    configurations: int
    """Of the space, under the ceiling."""
    cost: str
    """What the study minimises."""
    cost_ceiling: float
    baselines: int
    """Given configurations that are not finished."""
    rate_trainings: int
    """Short ones before the search, to find a learning rate a family."""
    rate_epochs: int
    """Of each of these."""
    seeds: int
    epochs: int
    train_images: int | None
    """About; None where the data set is not prepared."""
    steps_per_trial: int | None
    seconds: float | None
    """With one worker, none stopped early; None where nothing tells how fast this machine is."""
    seconds_from: str
    """What the speed was taken from, in words."""
    database_bytes: int
    checkpoint_bytes: int
    """Of the largest network, while it trains; a worker each."""
    free_bytes: int

    def facts(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def forecast(
    spec: StudySpec,
    storage: str | None,
    data_dir: Path | None,
    *,
    with_baselines: bool,
    tune_rate: bool | None = None,
) -> Forecast:
    """Works a study out.

    Raises:
        ConfigError, StudyError, DataError: what would refuse the study.
    """
    task, planned = planned_early(spec, data_dir)
    trials = all_trials(storage)
    own = [t for study, t in trials if study == spec.name]
    done = {(t.config, t.origin) for t in own if t.state not in {State.RUNNING, State.REFUSED}}
    finished = sum(origin is Origin.SEARCH for _, origin in done)
    wanted = max(0, reachable(spec, planned, task) - finished)
    missing = [
        config
        for config in planned.baselines
        if with_baselines and (config, Origin.BASELINE) not in done
    ]
    rates = _rate_trainings(spec, planned, task, trials, asked=tune_rate)
    train_images = count_train_images(spec, data_dir)
    steps = None
    if train_images is not None:
        steps = spec.recipe.epochs * epoch_steps(spec, train_images)
    speeds, source = _speeds([t for _, t in trials])
    seconds = None
    if speeds and steps is not None:
        seen = spec.seeds * steps * spec.recipe.batch_size
        seconds = sum(seen / _images_per_second(config, speeds) for config in missing)
        per_epoch = seen / spec.seeds / spec.recipe.epochs
        seconds += sum(epochs * per_epoch / _images_per_second(c, speeds) for c, epochs in rates)
        if wanted:
            drawn = [c for family in planned.drawn(task, spec.seed) for c in family]
            seconds += wanted * fmean(seen / _images_per_second(c, speeds) for c in drawn)
    spaces = planned.affordable.values() if wanted else ()
    largest = [space.most_expensive(task) for space in spaces]
    records = spec.seeds * (wanted + len(missing)) + len(rates)
    return Forecast(
        study=spec.name,
        dataset=spec.dataset,
        trials=wanted,
        finished_trials=finished,
        configurations=planned.num_affordable(task),
        cost=planned.cost.name,
        cost_ceiling=planned.cost_ceiling,
        baselines=len(missing),
        rate_trainings=len(rates),
        rate_epochs=max((epochs for _, epochs in rates), default=0),
        seeds=spec.seeds,
        epochs=spec.recipe.epochs,
        train_images=train_images,
        steps_per_trial=steps,
        seconds=seconds,
        seconds_from=source,
        database_bytes=records * (_TRIAL_BYTES + spec.recipe.epochs * _EPOCH_BYTES),
        checkpoint_bytes=spec.seeds
        * _CHECKPOINT_BYTES
        * max((cost(config).params for config in [*largest, *missing]), default=0),
        free_bytes=_free_bytes(beside(storage, "checkpoints")),
    )


def show(found: Forecast, console: Console, *, as_json: bool) -> None:
    """Prints it: lines, or JSON on stdout."""
    if as_json:
        print_json(found.facts())
        return
    for line in forecast_lines(found):
        print_line(console, line)


def planned_early(spec: StudySpec, data_dir: Path | None) -> tuple[ImageTask, Plan]:
    """What a specification means, before any image is read.

    Raises:
        ConfigError, StudyError, DataError: what would refuse the study.
    """
    task = find_task(spec.dataset, data_dir=data_dir, options=spec.data)
    return task, plan(spec, task)


def forecast_lines(found: Forecast) -> list[str]:
    """What a person is told of it."""
    searched = f"{counted(found.trials, 'trial')} out of {found.configurations:,} configurations"
    ceiling = find_cost(found.cost).shortly(found.cost_ceiling)
    parts = [f"{searched} of at most {ceiling}"] * bool(found.trials)
    parts += [counted(found.baselines, "baseline")] * bool(found.baselines)
    done = f" ({found.finished_trials:,} are finished)" if found.finished_trials else ""
    each = f", {found.seeds} seeds each" if found.seeds > 1 else ""
    what = " and ".join(parts) or "nothing is left to train"
    images = "an unknown number of images: the data set is not prepared here"
    if found.train_images is not None and found.steps_per_trial is not None:
        images = f"about {found.train_images:,} images, {found.steps_per_trial:,} steps"
    took = "not known: the number of images is not"
    if found.train_images is not None:
        took = f"not known: {found.seconds_from}"
    if found.seconds is not None:
        less = ", early stopping takes some off" if found.trials else ""
        took = (
            f"about {format_seconds(found.seconds)} of training with one worker, by "
            f"{found.seconds_from}; compiling and validating come on top{less}"
        )
    tuning = (
        f"before the search: {found.rate_trainings} trainings of "
        f"{counted(found.rate_epochs, 'epoch')} find a learning rate for every family"
    )
    lines = [
        *[tuning] * bool(found.rate_trainings),
        f"a trial: {counted(found.epochs, 'epoch')} of {images}",
        f"time: {took}",
        f"disk: {format_count(found.database_bytes)}B of results, and at most "
        f"{format_count(found.checkpoint_bytes)}B of checkpoint a worker "
        f"({format_count(found.free_bytes)}B are free)",
    ]
    return [
        f"{found.study}: {what}{each}{done}",
        *(lines if parts else ()),
        "nothing was written; leave --dry-run out to begin",
    ]


def all_trials(storage: str | None) -> list[tuple[str, TrialRecord]]:
    """All trials of the database, with the study of each; none where there is no database."""
    try:
        with open_reader(storage) as store:
            return [(s.name, t) for s in store.studies() for t in store.trials(s.name)]
    except StorageError:
        return []


def count_train_images(spec: StudySpec, data_dir: Path | None) -> int | None:
    """How many images there are to train on; None where that takes preparing the data set."""
    request = Request(dataset=spec.dataset, options=spec.data, data_dir=data_dir, report=to_stderr)
    try:
        counts = open_source(request).counts()
    except DataError:
        return None
    left = counts["train"]
    if not counts.get("validation") or spec.data.validation == "split":
        left -= round(spec.validation_fraction * left)
    return left if spec.train_limit is None else min(left, spec.train_limit)


def _speeds(trials: Sequence[TrialRecord]) -> tuple[list[NetworkSpeed], str]:
    """How fast networks trained on the device used last, and where that is from.

    Of earlier trials of the database, else of the last `search.bench` on this machine.
    """
    timed = [t for t in trials if t.timing and t.environment and t.state is State.COMPLETE]
    if timed:
        last = max(timed, key=lambda t: t.started_at)
        device = last.environment.device_kind if last.environment else ""
        same = [t for t in timed if t.environment and t.environment.device_kind == device]
        speeds = [NetworkSpeed(t.macs, t.timing.images_per_second) for t in same if t.timing]
        return sorted(speeds), f"{counted(len(speeds), 'earlier trial')} on {device}"
    if bench := last_result():
        return sorted(bench.speeds), f"search.bench on {bench.device_kind}, {bench.date[:10]}"
    return [], "no earlier trials in the database, and no result of python -m search.bench"


def _rate_trainings(
    spec: StudySpec,
    planned: Plan,
    task: ImageTask,
    trials: Sequence[tuple[str, TrialRecord]],
    *,
    asked: bool | None,
) -> list[tuple[Config, int]]:
    """The trainings by which learning rates are found that have not ended, with their epochs."""
    has_trials = any(study == spec.name for study, _ in trials)
    if not is_to_be_tuned(spec, has_trials=has_trials, asked=asked):
        return []
    networks = tuning_networks(planned, task, spec.seed)
    done = {(study, t.config) for study, t in trials if t.state is not State.RUNNING}
    return [
        (config, study.recipe.epochs)
        for study in rate_studies(spec).values()
        for config in networks
        if (study.name, config) not in done
    ]


def _images_per_second(config: Config, speeds: Sequence[NetworkSpeed]) -> float:
    """Of training: the MACs a second of networks of that size, between the two nearest."""
    macs = cost(config).macs
    sizes = [math.log(speed.macs) for speed in speeds]
    macs_per_second = [speed.macs * speed.images_per_second for speed in speeds]
    return float(np.interp(math.log(macs), sizes, macs_per_second)) / macs


def _free_bytes(path: Path) -> int:
    """On the disk where a file would be made."""
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    return shutil.disk_usage(folder).free
