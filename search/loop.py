"""The coordinator of a study: the only one that trains and writes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from runs.record import EpochRecord, Origin, State, StudyRecord, Surroundings, TrialRecord
from runs.store import Writer
from search.agenda import Agenda, Job
from search.recipe import Recipe
from search.sampler import Proposal
from search.studies import StudySpec
from search.trial import EpochDone, Event, Failed, Finished, Started, TrialRequest
from space.config import Config, ImageTask
from space.cost import cost
from space.search_space import SearchSpace


class Trainer(Protocol):
    """Whoever trains: `search.engine.Engine`."""

    def announce(self, config: Config, recipe: Recipe, num_seeds: int) -> None:
        """What will be requested next."""

    def run(self, request: TrialRequest) -> Iterator[Event]:
        """Trains a configuration, once a seed."""


class Reporter(Protocol):
    """Whoever shows how a study goes."""

    def started(self, trial: TrialRecord) -> None:
        """A trial begins: compiling, then training."""

    def epoch(self, epoch: EpochRecord) -> None:
        """A running trial has trained an epoch more."""

    def ended(self, trial: TrialRecord) -> None:
        """A trial is complete, failed, pruned or was refused."""

    def note(self, sentence: str) -> None:
        """Something a person should know."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """One study being run.

    Args:
        study: as it is in the database.
        spec: what was asked.
        space: the ranges, narrowed to what can lie under the study's FLOPs ceiling.
        task: of the images.
        baselines: configurations trained by the same recipe, before the search.
        trainer: trains trials.
        check_stop: called at every event of a trial; raises to stop the study.
    """

    study: StudyRecord
    spec: StudySpec
    space: SearchSpace
    task: ImageTask
    baselines: tuple[Config, ...]
    store: Writer
    trainer: Trainer
    surroundings: Surroundings
    reporter: Reporter
    check_stop: Callable[[], None] = lambda: None

    def go(self, *, num_trials: int, deadline: float | None = None) -> None:
        """Runs until `num_trials` configurations of the search's own are finished.

        Trials that a former process left running are trained again first, from the start. No
        trial begins after `deadline` (of `time.monotonic()`); one that runs is finished.
        """
        clock = time.perf_counter()
        agenda = Agenda(
            self.spec,
            self.space,
            self.task,
            max_flops=self.study.flops_ceiling,
            baselines=self.baselines,
            history=self.store.trials(self.study.name),
            num_trials=num_trials,
            refuse=self._refuse,
        )
        job = agenda.next()
        while job is not None:
            if deadline is not None and time.monotonic() >= deadline:
                self.reporter.note("the time is up: no further trial is started")
                return
            began, following = self._begin(job), None
            looked_ahead = False
            running = {t.number: t for t in began if t.state is State.RUNNING}
            for event in self.trainer.run(self._request(list(running.values()))):
                self.check_stop()
                if isinstance(event, Started):
                    following, looked_ahead = agenda.next(), True
                    if following is not None:
                        seeds = self._num_seeds(following)
                        self.trainer.announce(following.config, self.spec.recipe, seeds)
                else:
                    self._hear(event, running)
            if not looked_ahead:  # it failed before it started
                following = agenda.next()
            now = time.perf_counter()
            ended = self._end(list(running.values()), now - clock)
            clock = now
            agenda.tell(job, [t for t in began if t.number not in running] + ended)
            job = following
        if agenda.exhausted:
            self.reporter.note(
                "every configuration of the space within the budget has been tried: "
                "the study is complete with fewer trials than asked for"
            )

    def _begin(self, job: Job) -> list[TrialRecord]:
        """The trials of a job, one a seed, in the store; those to be trained are running."""
        if not job.stored:
            attrs = job.proposal.sampler_attrs if job.proposal else {}
            records = [
                self._record(job.config, job.origin, self.spec.seed + i, attrs)
                for i in range(self.spec.seeds)
            ]
            trials = self.store.add_trials(self.study.name, records)
        else:
            trials = [self._restarted(t) if t.state is State.RUNNING else t for t in job.stored]
        for trial in trials:
            if trial.state is State.RUNNING:
                self.reporter.started(trial)
        return trials

    def _restarted(self, trial: TrialRecord) -> TrialRecord:
        trial = replace(trial, started_at=datetime.now(UTC), surroundings=self.surroundings)
        self.store.restart_trial(self.study.name, trial)
        self.reporter.note(f"trial {trial.number} was interrupted and starts again")
        return trial

    def _hear(self, event: Event, running: dict[int, TrialRecord]) -> None:
        match event:
            case EpochDone(epochs):
                self.store.add_epochs(self.study.name, epochs)
                for epoch in epochs:
                    self.reporter.epoch(epoch)
            case Finished():
                running[event.trial] = replace(
                    running[event.trial],
                    state=State.COMPLETE,
                    accuracy=event.accuracy,
                    loss=event.loss,
                    timing=event.timing,
                )
            case Failed():
                running[event.trial] = replace(
                    running[event.trial],
                    state=State.FAILED,
                    error=event.reason,
                    timing=event.timing,
                )

    def _end(self, trials: list[TrialRecord], wall_seconds: float) -> list[TrialRecord]:
        """Writes how trials that trained together ended; they share the wall clock out."""
        now = datetime.now(UTC)
        share = wall_seconds / len(trials)
        ended = [replace(t, finished_at=now, wall_seconds=share) for t in trials]
        for trial in ended:
            self.store.update_trial(self.study.name, trial)
            self.reporter.ended(trial)
        return ended

    def _refuse(self, proposal: Proposal, reason: str) -> TrialRecord:
        """Writes down a proposal that is not tried."""
        record = self._record(
            proposal.config, Origin.SEARCH, self.spec.seed, proposal.sampler_attrs
        )
        refused = replace(record, state=State.REFUSED, error=reason, finished_at=record.started_at)
        refused = self.store.add_trial(self.study.name, refused)
        self.reporter.ended(refused)
        return refused

    def _request(self, trials: list[TrialRecord]) -> TrialRequest:
        return TrialRequest(
            numbers=tuple(t.number for t in trials),
            seeds=tuple(t.seed for t in trials),
            config=trials[0].config,
            recipe=self.spec.recipe,
        )

    def _num_seeds(self, job: Job) -> int:
        """How many seeds of a job are to be trained."""
        if not job.stored:
            return self.spec.seeds
        return sum(t.state is State.RUNNING for t in job.stored)

    def _record(
        self, config: Config, origin: Origin, seed: int, attrs: dict[str, object]
    ) -> TrialRecord:
        bill = cost(config)
        return TrialRecord(
            number=-1,  # the store knows
            state=State.RUNNING,
            origin=origin,
            config=config,
            params=bill.params,
            macs=bill.macs,
            seed=seed,
            epochs=self.spec.recipe.epochs,
            surroundings=self.surroundings,
            sampler_attrs=dict(attrs),
            started_at=datetime.now(UTC),
        )
