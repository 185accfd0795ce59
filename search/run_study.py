"""A study from specification to summary: storage, data, device, loop, display."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

from rich.console import Console

from runs.claim import claim
from runs.store import open_writer
from search import data as images
from search.compile_cache import use_compile_cache
from search.device_data import put
from search.devices import choose
from search.engine import Engine
from search.loop import Search, Workers
from search.open_study import open_study, plan
from search.progress import open_reporter
from search.standing import Standing
from search.studies import StudyError, StudySpec
from search.summary import counts_line, front_table, next_commands, time_line
from search.surroundings import surroundings
from search.train import steps_per_epoch
from search.workers import Processes, ThisProcess, check_count
from space.quantities import format_count


def run_study(
    spec: StudySpec,
    console: Console,
    *,
    storage: str | None = None,
    data_dir: Path | None = None,
    archive: Path | None = None,
    device_kind: str = "auto",
    num_workers: int = 1,
    with_baselines: bool = True,
    deadline: float | None = None,
    check_stop: Callable[[], None] = lambda: None,
) -> Standing:
    """Runs a study, or goes on with it, and prints how it goes and what it found.

    Args:
        spec: the study.
        console: where it is shown.
        storage: database URL; None for the default.
        data_dir: folder with prepared data sets; None for TFDS's.
        archive: the data set's original archive, where it has to be prepared.
        device_kind: as `search.devices.choose` takes it.
        num_workers: how many trials train side by side; with more than one, a process each.
        with_baselines: False leaves baselines that are missing for another time.
        deadline: of `time.monotonic()`, after which no trial is started.
        check_stop: called between epochs; raises to stop the study.

    Raises:
        MixerSearchError: study, data, device or storage are not fit; nothing is lost.
        KeyboardInterrupt: stopped; what is finished is stored.
    """

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    check_count(num_workers)
    device = choose(device_kind) if num_workers == 1 else None  # else each worker has its own
    use_compile_cache(say)
    with open_writer(storage) as store, claim(storage, spec.name):
        data = images.load(
            spec.dataset,
            data_dir=data_dir,
            archive=archive,
            validation_fraction=spec.validation_fraction,
            train_limit=spec.train_limit,
            report=say,
        )
        planned = plan(spec, data.task)
        num_train, num_validation = len(data.train_labels), len(data.validation_labels)
        steps = steps_per_epoch(spec.recipe.batch_size, num_train)
        if steps == 0:
            raise StudyError(
                f"recipe.batch_size={spec.recipe.batch_size} is more than the {num_train:,} "
                "training images; choose a smaller batch or more images"
            )
        study = open_study(store, spec, planned, data)
        baselines = planned.baselines if with_baselines else ()
        say(
            f"{study.name}: {spec.dataset}, {num_train:,} images to train and {num_validation:,} "
            f"to validate on; {planned.space.size:,} configurations, "
            f"at most {format_count(study.flops_ceiling)}FLOPs"
        )
        standing = Standing(
            study,
            store.trials(study.name),
            goal=spec.trials,
            baselines=len(baselines),
            images_per_epoch=steps * spec.recipe.batch_size,
            min_accuracy=spec.min_accuracy,
        )
        with ExitStack() as stack:
            workers: Workers
            if device is not None:
                engine = stack.enter_context(Engine(put(data, device), device))
                workers = ThisProcess(engine, surroundings(device))
            else:
                workers = stack.enter_context(
                    closing(Processes(data, count=num_workers, device_kind=device_kind))
                )
            on = workers.surroundings.device_kind
            each = f", {num_workers} workers" if num_workers > 1 else ""
            say(f"on {on}{each}; results in {store.where}")
            if standing.trials:
                say(f"going on: {counts_line(standing)}")
            reporter = stack.enter_context(open_reporter(console, standing))
            Search(
                study=study,
                spec=spec,
                space=planned.affordable,
                task=data.task,
                baselines=baselines,
                store=store,
                workers=workers,
                reporter=reporter,
                check_stop=check_stop,
            ).go(num_trials=spec.trials, deadline=deadline)
        console.print()
        if standing.front:
            console.print(front_table(standing))
        say(counts_line(standing))
        spent = time_line(standing)
        if spent:
            say(spent)
        for command in next_commands(study.name, storage):
            say(f"next: {command}")
    return standing
