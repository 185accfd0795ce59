"""A confirmation of a study: its candidates, frozen, trained again with fresh seeds.

Workers see training and validation images alone. The test split is opened when all is trained, by
`search.study.test_split`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from runs.confirmed import of_kind
from runs.confirmed_networks import FEWEST_SEEDS, Network, group_of, networks_of
from runs.image_results import image_results_of
from runs.leased_reader import WAIT
from runs.reader import Reader
from runs.record import ConfirmationRecord, StudyRecord, TrialRecord
from search.data import Arrays, ImageData
from search.protocol import Workers
from search.report.confirmation import ConfirmationProgress, open_reporter, plan_lines
from search.report.lines import print_line
from search.schedule.confirmation import ConfirmationScheduler
from search.schedule.confirmation_candidates import choose_candidates, choose_repeated
from search.spec.confirmation import ConfirmationSettings, ConfirmationTask
from search.spec.retry import RetryPolicy
from search.spec.studies import StudyError, StudySpec
from search.study.checkpoint_folder import Checkpoints
from search.study.held import held_study
from search.study.kept_weights import WeightsOptions
from search.study.loop import Search
from search.study.open_study import study_of
from search.study.plan import epoch_steps, plan, refuse_given_weights
from search.study.run_study import kept
from search.study.state import StudyState
from search.study.stored import stored_study
from search.study.study_images import images_of
from space.quantities import format_count


def train(
    name: str,
    console: Console,
    settings: ConfirmationSettings,
    *,
    start_workers: Callable[[ImageData], Workers],
    storage: str | None,
    data: Arrays | ImageData | None = None,
    data_dir: Path | None = None,
    archive: Path | None = None,
    checkpoints: Checkpoints | None = None,
    weights_dir: Path | None = None,
    retry: RetryPolicy | None = None,
    deadline: float | None = None,
    check_stop: Callable[[], None] = lambda: None,
) -> bool:
    """Begins a confirmation or goes on with it; whether all of it is trained.

    Raises:
        MixerSearchError: study, data, device or storage are not fit; nothing is lost.
        KeyboardInterrupt: stopped; what is finished is stored.
    """
    say = partial(print_line, console)
    spec, _ = stored_study(name, storage, trials=1)
    refuse_given_weights(spec)
    with held_study(name, storage, say, check_stop=check_stop, advice=WAIT) as store:
        record = unfinished(store, name, settings.kind)
        done = of_kind(store, name, settings.kind)
        if record is None and done and not settings.again:
            say(
                f"confirmation {done[-1].number} of {name} is complete: this is what it found; "
                "--again makes another, with other seeds"
            )
            return True
        images = images_of(store, spec, data_dir=data_dir, archive=archive, given=data, report=say)
        planned = plan(spec, images.task)
        study = study_of(store, spec, planned, images)
        state = StudyState.read(store, name)
        wanted = record.plan if record else new_plan(study, state, settings)
        steps = epoch_steps(spec, len(images.train_labels))
        tasks = partial(
            task_of,
            store,
            study,
            settings,
            wanted,
            images_trained=steps * spec.recipe.batch_size * spec.recipe.epochs,
        )
        task = tasks(at_once=1)
        check_budget(task)
        for line in plan_lines(study, wanted, task, images.has_test, is_new=record is None):
            say(line)
        retry = retry or RetryPolicy()
        if _is_trained(spec, task) and not any(map(retry.takes, _trials_of(task))):
            return True
        workers = start_workers(images)
        if record is None:
            store.add_confirmation(name, wanted)
        at_once = 1 if workers.environment.device_kind == "cpu" else task.first_round
        task = tasks(at_once=at_once)
        say(f"on {workers.environment.device_kind}; results in {store.where}")
        progress = ConfirmationProgress(task, study.cost)
        with open_reporter(console, progress) as reporter, kept(workers):
            Search(
                study=study,
                spec=spec,
                spaces=planned.affordable,
                task=images.task,
                baselines=(),
                store=store,
                workers=workers,
                reporter=reporter,
                state=state,
                check_stop=check_stop,
                scheduler=partial(ConfirmationScheduler, task=task),
                checkpoints=(checkpoints or Checkpoints()).of(study, storage),
                weights=WeightsOptions("all", weights_dir).of(study, storage),
                retry=retry,
                takes_up=_trials_of(task).__contains__,
                image_results=partial(
                    image_results_of,
                    split="validation",
                    labels=images.validation_labels,
                    keeps_classes=wanted["keep_classes"],
                ),
            ).go(num_trials=0, deadline=deadline)
        return _is_trained(spec, tasks(at_once=1))


def unfinished(store: Reader, study: str, kind: str = "front") -> ConfirmationRecord | None:
    """The newest confirmation of a kind, if it has not reported yet.

    One reports when the test split is read: before, it may be given more seeds at any time.
    """
    records = of_kind(store, study, kind)
    if not records:
        return None
    tested = store.image_results(study, "test")
    networks = networks_of(
        records[-1].plan, store.trials(study), [r.plan for r in store.confirmations(study)]
    )
    is_tested = any(trial.number in tested for network in networks for trial in network.trials)
    return None if is_tested else records[-1]


def new_plan(
    study: StudyRecord, state: StudyState, settings: ConfirmationSettings
) -> dict[str, Any]:
    """What is frozen before the first training."""
    trials = [*state.trials.values()]
    if settings.kind == "repeats":
        chosen = choose_repeated(study, trials)
    else:
        chosen = choose_candidates(study, trials, state.curves, settings.candidates)
    return {
        "kind": settings.kind,
        "seeds": settings.seeds,
        "uniform": settings.is_uniform,
        "level": settings.level,
        "keep_classes": settings.keeps_classes,
        "again": settings.again,
        "first_seed": 1 + max(trial.seed for trial in trials),
        "candidates": [
            {"trial": trial.number, "probability": chosen.probability.get(trial.number)}
            for trial in chosen.trials
        ],
        "left_out": [trial.number for trial in chosen.left_out],
    }


def task_of(
    store: Reader,
    study: StudyRecord,
    settings: ConfirmationSettings,
    wanted: dict[str, Any],
    *,
    images_trained: int,
    at_once: int,
) -> ConfirmationTask:
    """What is to be trained, as the database has it now."""
    plans = [record.plan for record in store.confirmations(study.name)]
    networks = networks_of(wanted, store.trials(study.name), plans)
    return ConfirmationTask(
        networks=networks,
        groups=[group_of(network.parent, study) for network in networks],
        first_seed=int(wanted["first_seed"]),
        seeds=settings.seeds,
        at_once=at_once,
        is_uniform=settings.is_uniform,
        training_flops=[3.0 * network.parent.flops * images_trained for network in networks],
        max_training_flops=settings.max_training_flops or math.inf,
        results=lambda: store.image_results(study.name, "validation"),
    )


def check_budget(task: ConfirmationTask) -> None:
    """Refuses a budget that the first round alone does not fit.

    Raises:
        StudyError: that is so.
    """
    if task.first_round_flops > task.max_training_flops:
        raise StudyError(
            f"--max-training-flops {format_count(task.max_training_flops)}: {task.first_round} "
            f"seeds of {len(task.networks)} configurations take "
            f"{format_count(task.first_round_flops)}FLOPs; allow as many, or confirm fewer with "
            "--candidates"
        )


def _is_trained(spec: StudySpec, task: ConfirmationTask) -> bool:
    """Whether nothing is left to train, so that the test split may report."""
    return ConfirmationScheduler(spec, task=task).suggest() is None


def _trials_of(task: ConfirmationTask) -> list[TrialRecord]:
    """The confirmation's own."""
    return [trial for network in task.networks for trial in network.trials]


def judged_networks(store: Reader, study: str, record: ConfirmationRecord) -> list[Network]:
    """Those whose trainings all ended well, and there are two or more."""
    plans = [other.plan for other in store.confirmations(study)]
    networks = networks_of(record.plan, store.trials(study), plans)
    return [n for n in networks if not n.has_failed and len(n.complete) >= FEWEST_SEEDS]
