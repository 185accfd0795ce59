"""Replays a table of learning curves as if trials were being trained.

The coordinator, the samplers and the rungs are those of `python -m search.run`; what trains is
replaced by the table, what stores by a list, and the clock by the sum of the recorded seconds.

Longer than others: clock, store and workers of a replay are one machine.
"""

from __future__ import annotations

import contextlib
import heapq
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from course import Course, Point
from table import FLOORS, Floor, Table

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
from search.schedule.earlier_trials import EarlierTrials
from search.schedule.optuna_adapter import SAMPLERS, SamplerSpec
from search.schedule.scheduler import New, Resume, Scheduler
from search.schedule.stopping_rule import StoppingRule, stopping_decision
from search.spec.recipe import Recipe
from search.spec.studies import with_changes
from search.study.loop import Search
from search.study.plan import plan
from space.config import Config

FORWARD_AND_BACKWARD = 3
"""Training costs three times the FLOPs of a forward pass, an image."""


@dataclass
class Replay(Course):
    """How a replayed study went."""

    trials: list[TrialRecord] = field(default_factory=list)
    ask_seconds: list[float] = field(default_factory=list)
    """Of this process's own time, a proposal each."""


class _ReachedError(Exception):
    """The share asked for was reached."""


def replay(
    table: Table,
    *,
    seed: int,
    workers: int = 1,
    num_trials: int | None = None,
    until: float = 2.0,
    above: Sequence[Floor] = FLOORS,
    rule: StoppingRule = stopping_decision,
    sampler: SamplerSpec | str | None = None,
    earlier: Sequence[EarlierTrials] = (),
    **changes: Any,
) -> Replay:
    """A study on the table.

    Args:
        table: whose trainings are replayed.
        seed: of the study; it also chooses which seed's curve of an architecture is seen.
        workers: trials side by side.
        num_trials: to be finished; None for as many as the table has.
        until: the study ends when its hypervolume is that share of the table's.
        above: the accuracies above which it must be.
        rule: decides who stops at a rung.
        sampler: proposes; one of `search.run` by its name, or another. None: the specification's.
        earlier: trials that the search is warm-started from.
        changes: fields of the study's specification.
    """
    if isinstance(sampler, str):
        sampler = SAMPLERS[sampler]
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
    whole = table.whole_hypervolume
    store, crew, result = _Memory(), _Crew(table, workers, seed), Replay()

    class Watch:
        """Notes where the study stands whenever a trial ends."""

        def started(self, trial: TrialRecord) -> None: ...
        def epoch(self, epoch: EpochRecord) -> None: ...
        def note(self, sentence: str) -> None: ...

        def ended(self, trial: TrialRecord) -> None:
            result.trials.append(trial)
            complete.update({trial.config: None} if trial.state == "complete" else {})
            found = list(complete)
            shares = {f: table.hypervolume(found, f) / whole[f] for f in FLOORS}
            ended = sum(t.state != "refused" for t in result.trials)
            seconds = crew.clock + sum(result.ask_seconds)
            result.points.append(Point(ended, crew.training_flops, seconds, *shares.values()))
            if min(shares[floor] for floor in above) >= until:
                raise _ReachedError

    class TimedScheduler(Scheduler):
        """Notes how long every proposal takes."""

        def suggest(self) -> New | Resume | None:
            begin = time.process_time()
            suggestion = super().suggest()
            result.ask_seconds.append(time.process_time() - begin)
            return suggestion

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
        scheduler=partial(TimedScheduler, rule=rule, sampler=sampler, earlier=earlier),
    )
    with contextlib.suppress(_ReachedError):
        search.go(num_trials=num_trials or len(table.members) + len(table.failed))
    return result


class _Crew:
    """Workers that read from the table, and a clock that jumps from event to event."""

    environment = Environment(device_kind="replay", versions={}, git_revision=None)

    def __init__(self, table: Table, count: int, seed: int) -> None:
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
        training = self._table.training(config, self._seed)
        flops = FORWARD_AND_BACKWARD * self._table.flops[config] * self._table.images_per_epoch
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
