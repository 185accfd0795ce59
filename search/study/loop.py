"""The coordinator of a study: moves messages between scheduler and workers, and alone writes.

Longer than others: its methods are the answers to every event there is, on one state.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from runs.checkpoints import keeps_checkpoint
from runs.record import EpochRecord, ImageResults, Origin, State, StudyRecord, TrialRecord
from runs.writer import Writer
from search.protocol import (
    EpochDone,
    Event,
    Failed,
    Finished,
    Predicted,
    Reporter,
    RequestDone,
    Started,
    TrialRequest,
    Warned,
    WeightsOffered,
    WeightsSent,
    WorkerDied,
    Workers,
)
from search.schedule.scheduler import New, Resume, Scheduler, StudyScheduler
from search.spec.retry import RetryPolicy, causes
from search.spec.studies import StudySpec, recipe_for
from search.study.checkpoint_folder import CheckpointFolder
from search.study.kept_weights import KeptWeights
from search.study.look_ahead import LookAhead
from search.study.state import StudyState
from search.study.worker_slot import WorkerSlot, seconds_in
from space.config import Config, ImageTask
from space.quantities import counted
from space.search_space import SearchSpace


@dataclass(frozen=True, kw_only=True)
class Search:
    """One study to be run.

    Args:
        study: as it is in the database.
        spec: what was asked.
        spaces: by family, the ranges narrowed to what can lie under the study's ceiling.
        task: of the images.
        baselines: configurations trained by the same recipe, before the search.
        workers: train trials.
        state: what the database has of the study; None to have it read.
        check_stop: called at every event of a trial; raises to stop the study.
        scheduler: what makes the scheduler.
        checkpoints: where trials under way are kept; None keeps none.
        weights: which weights of complete trials are kept; None keeps none.
        retry: which trials that failed are tried again.
        enough: whether no further configuration of the search's own begins.
        takes_up: which trials that failed may be tried again; None for the search's own and its
            baselines.
        image_results: of a confirmation's number and the classes it predicts of the validation
            images, as `runs.image_results.image_results_of` makes them; None where none are stored.
        spent: by family, FLOPs x epochs of training before the search.
        starts_from: digest of the weights that trainings start from, which the workers have; None
            where initial weights are drawn.
    """

    study: StudyRecord
    spec: StudySpec
    spaces: Mapping[str, SearchSpace]
    task: ImageTask
    baselines: tuple[Config, ...]
    store: Writer
    workers: Workers
    reporter: Reporter
    state: StudyState | None = None
    check_stop: Callable[[], None] = lambda: None
    scheduler: Callable[..., StudyScheduler] = Scheduler
    checkpoints: CheckpointFolder | None = None
    weights: KeptWeights | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    enough: Callable[[], bool] = lambda: False
    takes_up: Callable[[TrialRecord], bool] | None = None
    image_results: Callable[[int, Any], ImageResults] | None = None
    spent: Mapping[str, int] = field(default_factory=dict)
    starts_from: str | None = None

    def go(self, *, num_trials: int, deadline: float | None = None) -> None:
        """Runs until `num_trials` configurations of the search's own are finished.

        Trials that an earlier process left running go on first, from their checkpoints, and with
        them those that failed and are tried again: to all but the database they are running from
        the start. No trial begins after `deadline` (of `time.monotonic()`); one that runs is
        finished.
        """
        Coordinator(self, num_trials=num_trials, deadline=deadline).run()


class Coordinator:
    """A study while it runs: what is known of it, and what each worker does."""

    def __init__(self, search: Search, *, num_trials: int, deadline: float | None) -> None:
        self._search = search
        self._name = search.study.name
        self._store = search.store
        self._workers = search.workers
        self._reporter = search.reporter
        self._state = search.state or StudyState.read(search.store, self._name)
        history = self._history()
        self._scheduler = search.scheduler(
            search.spec,
            search.spaces,
            search.task,
            max_flops=search.study.flops_ceiling,
            max_cost=search.study.cost_ceiling,
            baselines=search.baselines,
            history=history,
            curves=self._state.curves,
            num_trials=num_trials,
            refuse=self._refuse,
            spent=search.spent,
        )
        now = time.perf_counter()
        self._slots = [WorkerSlot(worker, now) for worker in range(search.workers.count)]
        self._looking = LookAhead(search.workers.count)
        self._deadline = deadline
        self._is_late = False
        """Whether a trial was not begun because of the deadline."""
        self._is_over = False
        """Whether a trial was not begun: none is asked for any more."""
        self._said: set[str] = set()
        """Warnings that need not be said again."""

    def run(self) -> None:
        """Until no worker has anything to train."""
        for slot in self._slots:
            self._start(slot, self._scheduler.suggest())
        while any(slot.suggestion for slot in self._slots):
            worker, event = self._workers.next()
            self._search.check_stop()
            slot = self._slots[worker]
            if slot.suggestion is not None:  # else it died while it was idle
                self._handle(slot, event)
        if self._scheduler.exhausted:
            self._reporter.note(
                "every configuration of the space within the budget has been tried: "
                "the study is complete with fewer trials than asked for"
            )

    def _history(self) -> list[TrialRecord]:
        """All trials, those to be tried again as if they were running."""
        search, trials = self._search, list(self._state.trials.values())
        if search.checkpoints:
            search.checkpoints.tidy([t.number for t in trials if keeps_checkpoint(t)])
        again = {
            trial.number: trial
            for trial in trials
            if (search.takes_up or self._is_of_the_search)(trial) and search.retry.takes(trial)
        }
        if again:
            said = counted(len(again), "trial")
            self._reporter.note(f"tried again: {said}; {causes(list(again.values()))}")
        return [replace(t, state=State.RUNNING) if t.number in again else t for t in trials]

    def _is_of_the_search(self, trial: TrialRecord) -> bool:
        is_baseline = trial.origin is Origin.BASELINE and trial.config in self._search.baselines
        return trial.origin is Origin.SEARCH or is_baseline

    def _handle(self, slot: WorkerSlot, event: Event | RequestDone | WorkerDied) -> None:
        """One message of a worker that trains something."""
        match event:
            case Started(epochs):
                self._began(slot, epochs)
                if self._looking.at_start:
                    self._look_ahead(slot)
            case Warned(sentence, is_lasting):
                self._warn(sentence, is_lasting=is_lasting)
            case EpochDone(epochs):
                self._hear(slot, epochs)
                if self._looking.is_due(epochs[0], slot.trials[0].epochs):
                    self._look_ahead(slot)
            case Predicted(number, classes) if self._search.image_results:
                slot.image_results[number] = self._search.image_results(number, classes)
            case Finished():
                slot.finished(event)
                self._looking.ended(event.timing)
            case Failed():
                slot.failed(event)
            case WeightsOffered():
                kept, trials = self._search.weights, list(slot.running.values())
                slot.wants_weights = kept is not None and kept.wants(trials, self._state)
                self._workers.decide(slot.worker, slot.wants_weights)
            case WeightsSent(number, content):
                slot.weights[number] = content
            case WorkerDied(reason) if event.may_retry and slot.is_unfinished and not slot.has_lost:
                slot.has_lost, slot.setback = True, f"lost its worker ({reason})"
                self._workers.start(slot.worker, self._request(slot))
            case RequestDone() | WorkerDied():
                slot.give_up(event)
                if not slot.looked_ahead:  # it ended before it was time
                    slot.ahead = self._scheduler.suggest()
                self._finish(slot)
                idle = [s for s in self._slots if s is not slot and s.suggestion is None]
                for free in (slot, *idle):  # the scheduler knows more than when it had nothing
                    self._start(free, self._following(free))

    def _warn(self, sentence: str, *, is_lasting: bool = True) -> None:
        """Notes what was not said before as something that lasts."""
        if sentence not in self._said:
            self._reporter.note(sentence)
            self._said |= {sentence} if is_lasting else set()

    def _start(self, slot: WorkerSlot, suggestion: New | Resume | None) -> None:
        """Has a worker train a suggestion; none, and none after the deadline, leaves it idle."""
        if suggestion and self._deadline is not None and time.monotonic() >= self._deadline:
            if not self._is_late:
                self._reporter.note("the time is up: no further trial is started")
            self._is_late = self._is_over = True
            suggestion = None
        is_searched = isinstance(suggestion, New) and suggestion.origin is Origin.SEARCH
        if is_searched and self._search.enough():
            suggestion, self._is_over = None, True
        slot = self._slots[slot.worker] = WorkerSlot(slot.worker, slot.clock, suggestion)
        match suggestion:
            case None:
                return
            case Resume(trials=stored):
                now = datetime.now(UTC)
                trials = [
                    replace(t, started_at=now) if t.state is State.RUNNING else t for t in stored
                ]
                has_failed = any(t.failure or t.error for t in trials if t.state is State.RUNNING)
                slot.setback = "had failed" if has_failed else "was interrupted"
                slot.was_elsewhere = True
            case New():
                records = [self._record(suggestion, seed) for seed in self._seeds(suggestion)]
                trials = self._store.add_trials(self._name, records)
        self._state.put(trials)
        slot.take(trials)
        for trial in slot.running.values():
            self._reporter.started(trial)
        self._workers.start(slot.worker, self._request(slot))

    def _began(self, slot: WorkerSlot, epochs: Sequence[EpochRecord]) -> None:
        """A worker's device is at work: if not for the first time, from where it goes on."""
        if slot.setback is None:
            return
        assert slot.suggestion is not None, "a worker that trains has a suggestion"
        why, slot.setback = slot.setback, None
        slot.again(epochs)
        now, here = datetime.now(UTC), self._workers.environment
        for number, trial in slot.running.items():
            slot.running[number] = replace(trial, started_at=now, environment=here)
        trials = list(slot.running.values())
        self._store.restart_trials(self._name, trials, epochs)
        self._state.restart(trials, epochs)
        last = max((epoch.epoch for epoch in epochs), default=0)
        whence = f"goes on after epoch {last} of {trials[0].epochs}" if last else "starts again"
        for trial in trials:
            self._reporter.note(f"trial {trial.number} {why} and {whence}")
        for epoch in epochs:
            if epoch.epoch == last:
                self._reporter.epoch(epoch)
        if slot.was_elsewhere:
            slot.was_elsewhere = False
            if all(trial.wall_seconds is None for trial in trials):
                slot.clock -= seconds_in(epochs)  # wall clock that no trial has been assigned
            self._scheduler.on_resume(slot.suggestion, trials)

    def _look_ahead(self, slot: WorkerSlot) -> None:
        """While the worker trains: what it trains next, to be compiled now."""
        if slot.looked_ahead:  # a worker that died had started too
            return
        slot.ahead, slot.looked_ahead = self._scheduler.suggest(), True
        if slot.ahead is not None:
            config = slot.ahead.config
            recipe = recipe_for(self._search.spec, config.family)
            self._workers.compile_ahead(slot.worker, config, recipe, self._num_seeds(slot.ahead))

    def _hear(self, slot: WorkerSlot, epochs: tuple[EpochRecord, ...]) -> None:
        """Writes down an epoch, and tells the worker whether its trials continue, if it asks."""
        assert slot.suggestion is not None, "a worker that trains has a suggestion"
        self._store.add_epochs(self._name, epochs)
        self._state.add_epochs(epochs)
        for record in epochs:
            self._reporter.epoch(record)
        epoch, curve = epochs[0].epoch, self._state.curve_of(slot.trials)
        decision = self._scheduler.on_epoch(slot.suggestion, slot.under_way, epoch, curve)
        if decision is None:
            return
        slot.decided(decision, epoch)
        if decision.is_exempt:  # a process that takes it up again must know
            self._store.update_trials(self._name, slot.under_way)
            self._state.put(slot.under_way)
        self._workers.decide(slot.worker, not decision.stops)

    def _finish(self, slot: WorkerSlot) -> None:
        """Writes how trials ended, and tells the scheduler.

        They share out what their worker's wall clock shows, and that of idle workers: over all
        trials the shares of the study's wall clock add up to it.
        """
        assert slot.suggestion is not None, "a worker that ends trials had some"
        now, elapsed = time.perf_counter(), 0.0
        for other in self._slots:
            if other is slot or other.suggestion is None:
                elapsed += now - other.clock
                other.clock = now
        ended = [
            replace(
                trial,
                finished_at=datetime.now(UTC),
                wall_seconds=(trial.wall_seconds or 0.0)  # of an attempt that failed
                + elapsed / len(self._slots) / len(slot.running),
                num_workers=len(self._slots),
            )
            for trial in slot.running.values()
        ]
        if kept := self._search.weights:
            results = [*slot.image_results.values()]
            ended = kept.end_trials(
                self._store, ended, slot.weights, self._state, self._warn, image_results=results
            )
        else:
            self._store.update_trials(self._name, ended)
        for sentence in slot.lost_weights:
            self._reporter.note(sentence)
        for trial in ended:
            self._state.put([trial])
            self._reporter.ended(trial)
        if (checkpoints := self._search.checkpoints) and not any(map(keeps_checkpoint, ended)):
            checkpoints.discard(slot.first)
        trials = [t for t in slot.trials if t.number not in slot.running] + ended
        self._scheduler.on_end(slot.suggestion, trials, self._state.curve_of(slot.trials))
        slot.suggestion = None

    def _following(self, slot: WorkerSlot) -> New | Resume | None:
        """What a worker trains next: what it compiled ahead, else what another did, else the newest
        suggestion."""
        for other in (slot, *self._slots):
            if other.ahead is not None:
                suggestion, other.ahead = other.ahead, None
                return suggestion
        return None if self._is_over else self._scheduler.suggest()

    def _refuse(self, suggestion: New, reason: str) -> TrialRecord:
        """Writes down a proposal that is not tried."""
        record = self._record(suggestion, self._search.spec.seed)
        refused = replace(record, state=State.REFUSED, error=reason, finished_at=record.started_at)
        refused = self._store.add_trial(self._name, refused)
        self._state.put([refused])
        self._reporter.ended(refused)
        return refused

    def _request(self, slot: WorkerSlot) -> TrialRequest:
        assert slot.suggestion is not None, "it is what is requested"
        trials, checkpoints = slot.running.values(), self._search.checkpoints
        return TrialRequest(
            numbers=tuple(t.number for t in trials),
            seeds=tuple(t.seed for t in trials),
            config=slot.suggestion.config,
            recipe=recipe_for(self._search.spec, slot.suggestion.config.family),
            rungs=slot.suggestion.rungs,
            checkpointing=checkpoints.of(slot.first) if checkpoints else None,
            weights_facts=self._search.weights.facts if self._search.weights else None,
            predicts=slot.suggestion.origin is Origin.CONFIRMATION
            and self._search.image_results is not None,
            starts_from=self._search.starts_from,
        )

    def _seeds(self, suggestion: New) -> Sequence[int]:
        spec = self._search.spec
        return suggestion.seeds or range(spec.seed, spec.seed + spec.seeds)

    def _num_seeds(self, suggestion: New | Resume) -> int:
        """How many trials of a suggestion are to be trained."""
        if isinstance(suggestion, New):
            return len(self._seeds(suggestion))
        return sum(t.state is State.RUNNING for t in suggestion.trials)

    def _record(self, suggestion: New, seed: int) -> TrialRecord:
        """Of a trial that begins."""
        return TrialRecord(
            number=-1,  # the store knows
            state=State.RUNNING,
            origin=suggestion.origin,
            config=suggestion.config,
            params=suggestion.candidate.params,
            macs=suggestion.candidate.macs,
            costs=suggestion.candidate.costs,
            seed=seed,
            parent=suggestion.parent,
            epochs=self._search.spec.recipe.epochs,
            environment=self._workers.environment,
            sampler_attrs=suggestion.sampler_attrs,
            started_at=datetime.now(UTC),
        )
