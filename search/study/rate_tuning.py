"""A learning rate a family, found before a search: short trainings of a few networks of each.

One rate for all favours the family it suits. Every rate is a study of its own beside the one it is
for, so that what is interrupted goes on like any other.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from rich.console import Console

from runs.rates import mean_accuracies
from runs.reader import Reader, UnknownStudyError
from runs.record import State, StudyRecord, TrialRecord
from search.data import ImageData
from search.protocol import Workers
from search.report.progress import open_reporter
from search.report.status import StudyStatus
from search.spec.retry import RetryPolicy
from search.spec.rungs import NO_RUNGS
from search.spec.studies import StudySpec, with_changes
from search.study.checkpoint_folder import Checkpoints
from search.study.held import held_study
from search.study.loop import Search
from search.study.open_study import study_of
from search.study.plan import Plan, epoch_steps
from search.study.state import StudyState
from space.config import Config, ImageTask
from space.families import find_family
from space.quantities import counted, format_count

FACTORS = (0.5, 1.0, 2.0)
"""The rates tried, in multiples of the recipe's."""

_NETWORKS = 3
"""Of a family: a small one, a middle one, a large one."""

_LEAST_TRIALS = 20
"""Of two families the trainings cost as much as six trials. In a smaller search that is too much to
be spent unasked."""


def is_to_be_tuned(spec: StudySpec, *, has_trials: bool, asked: bool | None) -> bool:
    """Whether learning rates are to be found before the search.

    Args:
        spec: the study; rates that are given need not be found.
        has_trials: whether it has begun: then it keeps to what it began with.
        asked: None leaves it to the study: where it compares families and is no quick look.
    """
    if spec.learning_rates or has_trials or spec.trials == 0:
        return False
    return len(spec.families) > 1 and spec.trials >= _LEAST_TRIALS if asked is None else asked


def rate_studies(spec: StudySpec) -> dict[float, StudySpec]:
    """By learning rate, the study in which its networks are trained for a third of the epochs."""
    epochs = max(1, spec.recipe.epochs // 3)
    rates = [factor * spec.recipe.learning_rate for factor in FACTORS]
    return {
        rate: with_changes(
            spec,
            name=f"{spec.name}.rate-{rate:g}",
            trials=0,
            baselines=0,
            seeds=1,
            rungs=NO_RUNGS,
            warm_start=(),
            recipe=spec.recipe.model_copy(update={"epochs": epochs, "learning_rate": rate}),
        )
        for rate in rates
    }


def tuning_networks(planned: Plan, task: ImageTask, seed: int) -> tuple[Config, ...]:
    """Of every searched family a small, a middle and a large network; fewer of a tiny space.

    On a scale of log cost they are nearest to the middles of its lower, middle and upper third.
    """
    found: list[Config] = []
    for drawn in planned.drawn(task, seed):
        logs = {config: math.log(planned.cost(config)) for config in drawn}
        low, high = min(logs.values()), max(logs.values())
        aims = [low + (high - low) * (2 * i + 1) / (2 * _NETWORKS) for i in range(_NETWORKS)]
        near = [min(drawn, key=lambda config: abs(logs[config] - aim)) for aim in aims]
        found += dict.fromkeys(near)
    return tuple(found)


@dataclass(frozen=True)
class TunedRates:
    """Accuracies of the networks of every family at every learning rate tried."""

    accuracies: Mapping[str, Mapping[float, float]]
    """By family and rate: the mean over its networks on validation; a training that failed counts
    as guessing."""
    epochs: int
    trainings: int

    @property
    def chosen(self) -> dict[str, float]:
        """By family the rate of the highest accuracy, of equal ones the lowest."""
        return {
            family: max(sorted(means), key=means.__getitem__)
            for family, means in self.accuracies.items()
        }

    def recorded(self, study: StudyRecord, spec: StudySpec) -> StudyRecord:
        """The study with the rates it is to train by, and the studies that found them."""
        names = [found.name for found in rate_studies(spec).values()]
        return replace(
            study, spec=study.spec | {"learning_rates": self.chosen, "rate_studies": names}
        )

    def lines(self, training_flops: float) -> list[str]:
        """What was tried, and what was chosen."""
        tried = "; ".join(
            f"{find_family(family).label} "
            + ", ".join(f"{rate:g}: {100 * mean:.1f} %" for rate, mean in means.items())
            for family, means in self.accuracies.items()
        )
        chosen = ", ".join(
            f"{find_family(family).label} {rate:g}{_edge(rate, self.accuracies[family])}"
            for family, rate in self.chosen.items()
        )
        return [
            f"learning rates tried, mean validation accuracy after {counted(self.epochs, 'epoch')}:"
            f" {tried}",
            f"learning rates chosen: {chosen}; that took {self.trainings} trainings, "
            f"{format_count(training_flops)}FLOPs",
        ]


def _edge(rate: float, tried: Mapping[float, float]) -> str:
    """That a better rate may lie beyond what was tried."""
    edges = {min(tried): "lowest", max(tried): "highest"}
    return f" (the {edges[rate]} tried; a better one may lie beyond)" if rate in edges else ""


def tune_rates(
    spec: StudySpec,
    planned: Plan,
    images: ImageData,
    workers: Workers,
    console: Console,
    say: Callable[[str], None],
    *,
    storage: str | None,
    checkpoints: Checkpoints,
    retry: RetryPolicy,
    deadline: float | None,
    check_stop: Callable[[], None],
) -> TunedRates | None:
    """Trains what is missing of the networks at every rate.

    Returns:
        How accurate they are; None where the deadline came first.

    Raises:
        MixerSearchError: a study of a rate has another specification, or the storage fails.
    """
    networks = tuning_networks(planned, images.task, spec.seed)
    studies = rate_studies(spec)
    trials: dict[float, list[TrialRecord]] = {}
    for rate, study in studies.items():
        say(f"learning rate {rate:g}: {counted(len(networks), 'network')}, to choose a rate by")
        with held_study(study.name, storage, say, check_stop=check_stop) as store:
            record = study_of(store, study, planned, images)
            record = replace(record, spec=record.spec | {"rate_of": spec.name})
            store.put_study(record)
            state = StudyState.read(store, record.name)
            steps = epoch_steps(study, len(images.train_labels))
            status = StudyStatus(
                record,
                state,
                goal=0,
                baselines=len(networks),
                images_per_epoch=steps * study.recipe.batch_size,
            )
            with open_reporter(console, status) as reporter:
                Search(
                    study=record,
                    spec=study,
                    spaces=planned.affordable,
                    task=images.task,
                    baselines=networks,
                    store=store,
                    workers=workers,
                    reporter=reporter,
                    state=state,
                    check_stop=check_stop,
                    checkpoints=checkpoints.of(record, storage),
                    retry=retry,
                ).go(num_trials=0, deadline=deadline)
            trials[rate] = [t for t in state.trials.values() if t.state is not State.RUNNING]
        if len(trials[rate]) < len(networks):
            return None
    return TunedRates(
        accuracies=mean_accuracies(trials, 1.0 / images.task.num_classes),
        epochs=next(iter(studies.values())).recipe.epochs,
        trainings=sum(map(len, trials.values())),
    )


def spent_on_rates(store: Reader, study: StudyRecord) -> Counter[str]:
    """By family, what finding the study's learning rates took: FLOPs of a network x epochs."""
    spent: Counter[str] = Counter()
    for name in study.spec.get("rate_studies", ()):
        with suppress(UnknownStudyError):
            curves = store.curves(name)
            for trial in store.trials(name):
                spent[trial.family] += trial.flops * len(curves.get(trial.number, ()))
    return spent
