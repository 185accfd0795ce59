"""A study from specification to summary: storage, data, device, loop, display."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console

from runs.asked import started_from
from runs.convergence import sentence as unconverged_line
from runs.convergence import train_losses, unconverged
from runs.lease import LeaseLostError
from runs.next_steps import next_commands
from runs.noise import Noise, noise_of
from search.data import Arrays, ImageData
from search.data.balance import shares_line
from search.protocol import Workers
from search.report.lines import print_line
from search.report.noise_lines import comparison_lines, front_line, shown
from search.report.progress import open_reporter
from search.report.status import StudyStatus
from search.report.summary import (
    accuracy_lines,
    counts_line,
    failures_line,
    flat_line,
    front_table,
    idle_line,
    nothing_line,
    retried_line,
    stopping_line,
    time_line,
)
from search.schedule.scheduler import Scheduler
from search.spec.retry import RetryPolicy
from search.spec.studies import StudySpec
from search.study.checkpoint_folder import Checkpoints
from search.study.earlier_studies import earlier_of, take_earlier
from search.study.held import held_study
from search.study.kept_weights import WeightsOptions
from search.study.loop import Search
from search.study.open_study import as_it_began, study_of
from search.study.plan import epoch_steps, plan, reachable, refuse_given_weights
from search.study.rate_tuning import is_to_be_tuned, spent_on_rates, tune_rates
from search.study.state import StudyState
from search.study.study_images import images_of
from space.families import label_of


def run_study(
    spec: StudySpec,
    console: Console,
    *,
    start_workers: Callable[[ImageData], Workers],
    storage: str | None = None,
    data: Arrays | ImageData | None = None,
    data_dir: Path | None = None,
    archive: Path | None = None,
    with_baselines: bool = True,
    tune_rate: bool | None = None,
    checkpoints: Checkpoints | None = None,
    weights: WeightsOptions | None = None,
    retry: RetryPolicy | None = None,
    deadline: float | None = None,
    stop_when_flat: int | None = None,
    check_stop: Callable[[], None] = lambda: None,
) -> StudyStatus:
    """Runs a study, or goes on with it, and prints how it goes and what it found.

    Args:
        spec: the study.
        console: where it is shown.
        start_workers: takes the images, as what `search.workers.processes.open_workers` gives.
        storage: database URL; None for the default.
        data: the images; None for those of the data set the study names.
        data_dir: folder with prepared data sets; None for TFDS's.
        archive: the data set's original archive, where it has to be prepared.
        with_baselines: False leaves baselines that are missing for another time.
        tune_rate: whether a learning rate a family is found before the search; None: where several
            families are searched, no rates are given, and enough trials are asked for.
        checkpoints: where and how often trials under way are kept.
        weights: of which complete trials they are kept, and where.
        retry: which trials that failed are tried again; None for those that had a time limit.
        deadline: of `time.monotonic()`, after which no trial is started.
        stop_when_flat: no trial is proposed once the front has not grown over so many.
        check_stop: called between epochs; raises to stop the study.

    Raises:
        MixerSearchError: study, data, device or storage are not fit; nothing is lost.
        KeyboardInterrupt: stopped; what is finished is stored.
    """

    say = partial(print_line, console)
    refuse_given_weights(spec)
    if data is not None:
        name = data.name if isinstance(data, ImageData) else "arrays"
        spec = spec.model_copy(update={"dataset": name})
    with held_study(spec.name, storage, say, check_stop=check_stop) as store:
        images = images_of(store, spec, data_dir=data_dir, archive=archive, given=data, report=say)
        planned = plan(spec, images.task)
        num_train, num_validation = len(images.train_labels), len(images.validation_labels)
        steps = epoch_steps(spec, num_train)
        asked = {
            "trials": spec.trials,
            "baselines": with_baselines,
            "stop_when_flat": stop_when_flat,
            "tune_rate": tune_rate,
        }
        study = study_of(store, spec, planned, images, asked)
        if spec.warm_start and "earlier" not in study.spec:  # it begins
            study = replace(study, spec=study.spec | {"earlier": take_earlier(spec, store)})
        spec = as_it_began(spec, study)
        baselines = planned.baselines if with_baselines else ()
        what = (
            f"{planned.num_affordable(images.task):,} configurations of at most "
            f"{study.cost.shortly(study.cost_ceiling)}"
        )
        if spec.trials == 0:
            what = ", ".join(map(label_of, baselines)) + f", {spec.recipe.epochs} epochs"
        say(
            f"{study.name}: {spec.dataset}, {num_train:,} images to train and {num_validation:,} "
            f"to validate on; {what}"
        )
        if not images.has_test:
            say(f"{images.name} has no test images: nothing can be confirmed on test")
        for name, what in started_from(study).items():
            say(f"warm start from {name}: {what}")
        shares = shares_line(images.train_labels, images.validation_labels, images.class_names)
        if shares:
            say(shares)
        goal = reachable(spec, planned, images.task)
        if goal < spec.trials:
            say(
                f"{spec.trials:,} trials were asked for, and the space has {goal:,} within the "
                "budget: the study ends when all are tried"
            )
        workers = start_workers(images)
        store.put_study(study)  # nothing refuses it any more
        state = StudyState.read(store, study.name)
        each = f", {workers.count} workers" if workers.count > 1 else ""
        say(f"on {workers.environment.device_kind}{each}; results in {store.where}")
        checkpoints, retry = checkpoints or Checkpoints(), retry or RetryPolicy()
        if is_to_be_tuned(spec, has_trials=bool(state.trials), asked=tune_rate):
            with kept(workers):
                found = tune_rates(
                    spec,
                    planned,
                    images,
                    workers,
                    console,
                    say,
                    storage=storage,
                    checkpoints=checkpoints,
                    retry=retry,
                    deadline=deadline,
                    check_stop=check_stop,
                )
            if found:
                study = store.put_study(found.recorded(study, spec))
                spec = spec.model_copy(update={"learning_rates": found.chosen})
                seen = 3 * steps * spec.recipe.batch_size
                for sentence in found.lines(seen * spent_on_rates(store, study).total()):
                    say(sentence)
        status = StudyStatus(
            study,
            state,
            goal=goal,
            baselines=len(baselines),
            images_per_epoch=steps * spec.recipe.batch_size,
        )
        if status.trials and spec.trials:
            say(f"going on: {counts_line(status)}")
        with open_reporter(console, status) as reporter, kept(workers):
            Search(
                study=study,
                spec=spec,
                spaces=planned.affordable,
                task=images.task,
                baselines=baselines,
                store=store,
                workers=workers,
                reporter=reporter,
                state=state,
                check_stop=check_stop,
                checkpoints=checkpoints.of(study, storage),
                weights=(weights or WeightsOptions()).of(study, storage),
                retry=retry,
                spent=spent_on_rates(store, study),
                enough=partial(status.is_flat, stop_when_flat),
                scheduler=partial(Scheduler, earlier=earlier_of(study)),
            ).go(num_trials=spec.trials, deadline=deadline)
        console.print()
        noise = noise_of(study, status.trials)
        marks = unconverged(study, shown(status), train_losses(store.mirror.epochs), noise)
        if status.front:
            console.print(front_table(status, noise, marks))
        for line in [
            *_closing_lines(status, spec, stop_when_flat, noise),
            front_line(status, noise),
            *comparison_lines(status, noise, marks),
            unconverged_line(marks),
        ]:
            if line:
                say(line)
        for command in next_commands(study.name, storage, found=bool(status.front)):
            say(f"next: {command}")
    return status


def _closing_lines(
    status: StudyStatus, spec: StudySpec, stop_when_flat: int | None, noise: Noise
) -> list[str | None]:
    """How it went, and what was found."""
    went = [retried_line(status), failures_line(status), stopping_line(status), time_line(status)]
    if spec.trials == 0:
        return [*went, *accuracy_lines(status, noise)]
    return [
        counts_line(status),
        *went,
        flat_line(status, stop_when_flat),
        idle_line(status, spec.trials),
        nothing_line(status),
    ]


@contextmanager
def kept(workers: Workers) -> Iterator[None]:
    """Has trials under way kept, should the block be left early; the study is held until they are.

    Not where another process has taken the study over: their checkpoints are its own now.
    """
    try:
        yield
    except LeaseLostError:
        raise
    except BaseException:
        workers.interrupt()
        raise
