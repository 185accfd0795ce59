"""Replays a table of learning curves as if trials were being trained.

The coordinator, the samplers and the rungs are those of `python -m search.run`; what trains is
replaced by the table, what stores by a list, and the clock by the sum of the recorded seconds.

A table is replayed only if it is whole: samplers propose from a space, not from a list, and what
would become of a proposal the table does not hold would be of our making, not the sampler's.

Longer than others: table, clock, store and workers of a replay are one machine.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
from learning_curves import PARAMETERS, LearningCurves, TableError

from runs import pareto
from runs.record import Environment, EpochRecord, Failure, StudyRecord, Timing, TrialRecord
from search.protocol import (
    EpochDone,
    Event,
    Failed,
    Finished,
    RequestDone,
    Started,
    TrialRequest,
    WorkerDied,
)
from search.schedule.scheduler import Scheduler
from search.schedule.stopping_rule import StoppingRule, stopping_decision
from search.spec.recipe import Recipe
from search.spec.studies import StudySpec, with_changes
from search.study.loop import Search
from search.study.plan import plan
from space.config import Config, ImageTask, MixerConfig
from space.cost import cost

FORWARD_AND_BACKWARD = 3
"""Training costs three times the FLOPs of a forward pass, an image."""


@dataclass(frozen=True)
class Training:
    """One recorded training."""

    accuracies: tuple[float, ...]
    losses: tuple[float, ...]
    seconds: tuple[float, ...]
    """Up to each epoch."""
    compile_seconds: float


@dataclass(frozen=True, eq=False)
class Recorded:
    """A table by configuration: all that its study's space has under the ceiling.

    Raises:
        TableError: a configuration has neither been trained nor failed.
    """

    spec: StudySpec
    task: ImageTask
    images_per_epoch: int
    flops_ceiling: int
    trainings: dict[Config, list[Training]]
    failed: frozenset[Config] = frozenset()
    """Never trained to the end; they fail in a replay too, at no cost."""

    def __post_init__(self) -> None:
        all_ = [
            config
            for space in plan(self.spec, self.task).affordable.values()
            for config in space.members(self.task)
            if cost(config).flops <= self.flops_ceiling
        ]
        held = sum(config in self.trainings or config in self.failed for config in all_)
        if held < len(all_):
            raise TableError(
                f"a table with {held:,} of the {len(all_):,} configurations of {self.spec.name} "
                f"under its ceiling of {self.flops_ceiling:,} FLOPs cannot be replayed, since a "
                "search may propose any of them; make_table.py trains them all: narrow the ranges "
                "in a study file if they are too many"
            )

    @property
    def reference(self) -> pareto.Reference:
        """Where hypervolumes are measured to."""
        return pareto.Reference(accuracy=1 / self.task.num_classes, cost=float(self.flops_ceiling))

    def accuracy(self, config: Config) -> float:
        """After the last epoch, the mean of all seeds: what an architecture is worth."""
        return float(np.mean([t.accuracies[-1] for t in self.trainings[config]]))

    def hypervolume(self, configs: Sequence[Config]) -> float:
        """Of some architectures by what they are worth."""
        flops = [float(cost(config).flops) for config in configs]
        return pareto.hypervolume(flops, [self.accuracy(c) for c in configs], self.reference)

    def front(self) -> set[Config]:
        """The architectures nobody dominates."""
        configs = list(self.trainings)
        flops = [float(cost(config).flops) for config in configs]
        on_front = pareto.front(flops, [self.accuracy(c) for c in configs])
        return {configs[i] for i in on_front}


def recorded(curves: LearningCurves) -> Recorded:
    """The table as the simulator wants it.

    Raises:
        TableError: it is not all of its study's space.
    """
    task = ImageTask.model_validate(curves.about["task"])
    trainings: dict[Config, list[Training]] = defaultdict(list)
    for key, rows in curves.rows.groupby([*PARAMETERS, "seed"]):
        values = dict(zip(PARAMETERS, map(int, key), strict=False))
        trainings[_config(task, values)].append(
            Training(
                tuple(rows["validation_accuracy"].astype(float)),
                tuple(rows["validation_loss"].astype(float)),
                tuple(rows["seconds"].astype(float)),
                float(rows["compile_seconds"].iloc[0]),
            )
        )
    # A table from before there was a choice is of the random split.
    spec = StudySpec.model_validate_json(json.dumps({"split": "random"} | curves.about["study"]))
    return Recorded(
        spec=spec,
        task=task,
        images_per_epoch=curves.about["images_per_epoch"],
        flops_ceiling=curves.about["flops_ceiling"],
        trainings=dict(trainings),
        failed=frozenset(_config(task, values) for values in curves.about.get("failed", [])),
    )


def _config(task: ImageTask, values: dict[str, int]) -> MixerConfig:
    return MixerConfig.model_validate(task.model_dump() | values)


@dataclass(frozen=True)
class Point:
    """Where a replayed study stands after a trial ended."""

    trials: int
    training_flops: float
    """Spent so far, whatever it led to."""
    seconds: float
    """By the recorded clock."""
    hypervolume: float
    """Of the complete trials by what they are worth, as a share of the table's."""


@dataclass
class Replay:
    """How a replayed study went."""

    points: list[Point] = field(default_factory=list)
    trials: list[TrialRecord] = field(default_factory=list)

    def training_flops_to(self, share: float) -> float:
        """Spent until the hypervolume was that share of the table's; infinite if it never was."""
        reached = (p.training_flops for p in self.points if p.hypervolume >= share)
        return next(reached, np.inf)


class _ReachedError(Exception):
    """The share asked for was reached."""


def replay(
    table: Recorded,
    *,
    seed: int,
    workers: int = 1,
    num_trials: int | None = None,
    until: float = 2.0,
    rule: StoppingRule = stopping_decision,
    **changes: Any,
) -> Replay:
    """A study on the table.

    Args:
        table: whose trainings are replayed.
        seed: of the study; it also chooses which seed's curve of an architecture is seen.
        workers: trials side by side.
        num_trials: to be finished; None for as many as the table has.
        until: the study ends when its hypervolume is that share of the table's.
        rule: decides who stops at a rung.
        changes: fields of the study's specification.
    """
    spec = with_changes(table.spec, seed=seed, **changes)
    planned = plan(spec, table.task)
    study = StudyRecord(
        name="replay",
        spec={},
        num_classes=table.task.num_classes,
        data_digest="",
        flops_ceiling=table.flops_ceiling,
        created_at=datetime.now(UTC),
    )
    whole = table.hypervolume(list(table.trainings))
    store, crew, result = _Memory(), _Crew(table, workers, seed), Replay()

    class Watch:
        """Notes where the study stands whenever a trial ends."""

        def started(self, trial: TrialRecord) -> None: ...
        def epoch(self, epoch: EpochRecord) -> None: ...
        def note(self, sentence: str) -> None: ...

        def ended(self, trial: TrialRecord) -> None:
            result.trials.append(trial)
            complete.update({trial.config: None} if trial.state == "complete" else {})
            share = table.hypervolume(list(complete)) / whole
            ended = sum(t.state != "refused" for t in result.trials)
            result.points.append(Point(ended, crew.training_flops, crew.clock, share))
            if share >= until:
                raise _ReachedError

    complete: dict[Config, None] = {}
    search = Search(
        study=study,
        spec=spec,
        spaces=planned.affordable,
        task=table.task,
        baselines=(),
        store=store,
        workers=crew,
        reporter=Watch(),
        scheduler=partial(Scheduler, rule=rule),
    )
    with contextlib.suppress(_ReachedError):
        search.go(num_trials=num_trials or len(table.trainings) + len(table.failed))
    return result


class _Crew:
    """Workers that read from the table, and a clock that jumps from event to event."""

    environment = Environment(device_kind="replay", versions={}, git_revision=None)

    def __init__(self, table: Recorded, count: int, seed: int) -> None:
        self.count = count
        self.clock = 0.0
        self.training_flops = 0.0
        self._table = table
        self._seed = seed
        self._goes_on = [True] * count
        self._events: list[tuple[float, int, int, Event | RequestDone]] = []
        self._trainings: dict[int, Iterator[tuple[float, Event | RequestDone]]] = {}
        self._order = 0

    def compile_ahead(self, worker: int, config: Config, recipe: Recipe, num_seeds: int) -> None:
        """Compiling ahead is not simulated."""

    def start(self, worker: int, request: TrialRequest) -> None:
        self._trainings[worker] = self._train(worker, request)
        self._advance(worker)

    def decide(self, worker: int, goes_on: bool) -> None:
        self._goes_on[worker] = goes_on

    def next(self) -> tuple[int, Event | RequestDone | WorkerDied]:
        if self._told is not None:  # what it does next follows from what it was told
            self._advance(self._told)
        self.clock, _, worker, event = heapq.heappop(self._events)
        self._told = None if isinstance(event, RequestDone) else worker
        return worker, event

    _told: int | None = None

    def _advance(self, worker: int) -> None:
        seconds, event = next(self._trainings[worker])
        self._order += 1
        heapq.heappush(self._events, (self.clock + seconds, self._order, worker, event))

    def _train(
        self, worker: int, request: TrialRequest
    ) -> Iterator[tuple[float, Event | RequestDone]]:
        """Seconds that pass, and what happens then."""
        number, config = request.numbers[0], request.config
        if config in self._table.failed:
            yield (
                0.0,
                Failed(
                    trial=number,
                    reason="failed when the table was made",
                    failure=Failure.DIVERGED,
                ),
            )
            yield 0.0, RequestDone()
            return
        lot = random.Random(f"{self._seed}/{config.model_dump_json()}")
        training = lot.choice(self._table.trainings[config])
        flops = FORWARD_AND_BACKWARD * cost(config).flops * self._table.images_per_epoch
        yield training.compile_seconds, Started()
        before = 0.0
        for i, accuracy in enumerate(training.accuracies):
            self.training_flops += flops
            epoch = EpochRecord(
                trial=number,
                epoch=i + 1,
                train_loss=0.0,
                train_accuracy=0.0,
                validation_loss=training.losses[i],
                validation_accuracy=accuracy,
                learning_rate=0.0,
                elapsed_seconds=training.seconds[i],
            )
            self._goes_on[worker] = True
            yield training.seconds[i] - before, EpochDone((epoch,))
            before = training.seconds[i]
            if not self._goes_on[worker]:
                break
        timing = Timing(
            compile_seconds=training.compile_seconds,
            train_seconds=before,
            eval_seconds=0.0,
            images_per_second=(i + 1) * self._table.images_per_epoch / before,
        )
        loss = training.losses[i]
        yield 0.0, Finished(trial=number, accuracy=accuracy, loss=loss, timing=timing)
        yield 0.0, RequestDone()


class _Memory:
    """A store of one study that forgets everything when it goes."""

    def __init__(self) -> None:
        self._trials: list[TrialRecord] = []

    def trials(self, study: str) -> list[TrialRecord]:
        return list(self._trials)

    def curves(self, study: str) -> dict[int, list[float]]:
        return {}

    def add_trial(self, study: str, trial: TrialRecord) -> TrialRecord:
        return self.add_trials(study, [trial])[0]

    def add_trials(self, study: str, trials: Sequence[TrialRecord]) -> list[TrialRecord]:
        first = len(self._trials)
        added = [replace(trial, number=first + i) for i, trial in enumerate(trials)]
        self._trials += added
        return added

    def update_trials(self, study: str, trials: Sequence[TrialRecord]) -> None:
        for trial in trials:
            self._trials[trial.number] = trial

    def add_epochs(self, study: str, epochs: Sequence[EpochRecord]) -> None:
        """Nobody reads them."""
