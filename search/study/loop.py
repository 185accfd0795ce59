"""The coordinator of a study: has others train, and is the only one that writes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from runs.record import EpochRecord, Failure, Origin, State, StudyRecord, TrialRecord
from runs.writer import Writer
from search.protocol import (
    EpochDone,
    Failed,
    Finished,
    Idle,
    Lost,
    Reporter,
    Started,
    TrialRequest,
    Warned,
    Workers,
)
from search.schedule.early_stopping import EarlyStopping
from search.schedule.optuna_adapter import Proposal
from search.schedule.scheduler import Agenda, Job
from search.schedule.stopping_rule import Rule, objection
from search.spec.retry import RetryPolicy, causes
from search.spec.studies import StudySpec
from search.study.checkpoint_folder import CheckpointFolder
from search.study.worker_slot import Desk, seconds_in
from space.config import Config, ImageTask
from space.cost import cost
from space.quantities import counted
from space.search_space import SearchSpace


@dataclass(frozen=True, kw_only=True)
class Search:
    """One study being run.

    Args:
        study: as it is in the database.
        spec: what was asked.
        space: the ranges, narrowed to what can lie under the study's FLOPs ceiling.
        task: of the images.
        baselines: configurations trained by the same recipe, before the search.
        workers: train trials.
        check_stop: called at every event of a trial; raises to stop the study.
        rule: who is stopped at a rung.
        checkpoints: where trials under way are kept; None keeps none.
        retry: which trials that failed are tried again.
    """

    study: StudyRecord
    spec: StudySpec
    space: SearchSpace
    task: ImageTask
    baselines: tuple[Config, ...]
    store: Writer
    workers: Workers
    reporter: Reporter
    check_stop: Callable[[], None] = lambda: None
    rule: Rule = objection
    checkpoints: CheckpointFolder | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    def go(self, *, num_trials: int, deadline: float | None = None) -> None:
        """Runs until `num_trials` configurations of the search's own are finished.

        Trials that a former process left running go on first, from their checkpoints, and with
        them those that failed and are tried again: to all but the database they are running from
        the start. No trial begins after `deadline` (of `time.monotonic()`); one that runs is
        finished.
        """
        history = self.store.trials(self.study.name)
        if self.checkpoints:
            self.checkpoints.tidy([t.number for t in history if _keeps_checkpoint(t)])
        again = [trial for trial in history if self._tries_again(trial)]
        if again:
            said = counted(len(again), "trial")
            self.reporter.note(f"tried again: {said}; {causes(again)}")
            numbers = {trial.number for trial in again}
            history = [
                replace(t, state=State.RUNNING) if t.number in numbers else t for t in history
            ]
        curves = self.store.curves(self.study.name)
        early_stopping = EarlyStopping(
            self.spec.rungs,
            epochs=self.spec.recipe.epochs,
            seed=self.spec.seed,
            history=history,
            curves=curves,
            rule=self.rule,
        )
        agenda = Agenda(
            self.spec,
            self.space,
            self.task,
            max_flops=self.study.flops_ceiling,
            baselines=self.baselines,
            history=history,
            curves=curves,
            num_trials=num_trials,
            refuse=self._refuse,
        )
        now = time.perf_counter()
        desks = [Desk(worker, now) for worker in range(self.workers.count)]
        lasting: set[str] = set()
        is_late = False

        def start(desk: Desk, job: Job | None) -> None:
            nonlocal is_late
            if job is not None and deadline is not None and time.monotonic() >= deadline:
                if not is_late:
                    self.reporter.note("the time is up: no further trial is started")
                is_late, job = True, None
            self._start(desk, job, early_stopping.rungs, curves)

        for desk in desks:
            start(desk, agenda.next())
        while any(desk.job for desk in desks):
            worker, event = self.workers.next()
            self.check_stop()
            desk = desks[worker]
            if desk.job is None:  # lost while it had nothing to do
                continue
            match event:
                case Started(epochs):
                    self._began(desk, epochs, early_stopping)
                    self._look_ahead(desk, agenda)
                case Warned(sentence, is_lasting):
                    if sentence not in lasting:
                        self.reporter.note(sentence)
                    if is_lasting:
                        lasting.add(sentence)
                case EpochDone(epochs):
                    self._hear(desk, epochs)
                    self._judge(desk, epochs[0].epoch, early_stopping)
                case Finished():
                    desk.finished(event)
                case Failed():
                    desk.failed(event)
                case Lost(reason) if event.may_retry and desk.under_way and not desk.has_lost:
                    desk.has_lost, desk.setback = True, f"lost its worker ({reason})"
                    self.workers.start(desk.worker, self._request(desk))
                case Idle() | Lost():
                    for trial in desk.under_way:
                        desk.failed(_given_up(trial, event))
                    if not desk.looked_ahead:  # it failed before it started
                        desk.ahead = agenda.next()
                    self._finish(desk, desks, agenda, early_stopping)
                    start(desk, _following(desk, desks))
        if agenda.exhausted:
            self.reporter.note(
                "every configuration of the space within the budget has been tried: "
                "the study is complete with fewer trials than asked for"
            )

    def _start(
        self,
        desk: Desk,
        job: Job | None,
        rungs: tuple[int, ...],
        curves: Mapping[int, Sequence[float]],
    ) -> None:
        """Has the worker of a desk train a job, or nothing."""
        desk.clear(job)
        if job is None:
            return
        if job.stored:
            now = datetime.now(UTC)
            trials = [
                replace(t, started_at=now) if t.state is State.RUNNING else t for t in job.stored
            ]
            has_failed = any(t.failure or t.error for t in trials if t.state is State.RUNNING)
            desk.setback = "had failed" if has_failed else "was interrupted"
            desk.was_elsewhere = True
        else:
            attrs = job.proposal.sampler_attrs if job.proposal else {}
            records = [
                self._record(job.config, job.origin, self.spec.seed + i, attrs)
                for i in range(self.spec.seeds)
            ]
            trials = self.store.add_trials(self.study.name, records)
        desk.take(trials, curves)
        for trial in desk.running.values():
            self.reporter.started(trial)
        desk.rungs = rungs if job.origin is Origin.SEARCH else ()
        self.workers.start(desk.worker, self._request(desk))

    def _began(
        self, desk: Desk, epochs: Sequence[EpochRecord], early_stopping: EarlyStopping
    ) -> None:
        """The device of a worker is at work: if not for the first time, from where it goes on."""
        if desk.setback is None:
            return
        assert desk.job is not None, "a worker that trains has a job"
        why, desk.setback = desk.setback, None
        desk.again(epochs)
        now, here = datetime.now(UTC), self.workers.surroundings
        for number, trial in desk.running.items():
            desk.running[number] = replace(trial, started_at=now, surroundings=here)
        trials = list(desk.running.values())
        self.store.restart_trials(self.study.name, trials, epochs)
        last = max((epoch.epoch for epoch in epochs), default=0)
        whence = f"goes on after epoch {last} of {trials[0].epochs}" if last else "starts again"
        for trial in trials:
            self.reporter.note(f"trial {trial.number} {why} and {whence}")
        for epoch in epochs:
            if epoch.epoch == last:
                self.reporter.epoch(epoch)
        if desk.was_elsewhere:
            desk.was_elsewhere = False
            if all(trial.wall_seconds is None for trial in trials):
                desk.clock -= seconds_in(epochs)  # of a wall clock nobody has given to a trial yet
            if desk.job.origin is Origin.SEARCH:
                early_stopping.recall(desk.job.config, trials, desk.curves)

    def _look_ahead(self, desk: Desk, agenda: Agenda) -> None:
        """While the worker trains: what it trains next, to be compiled now."""
        if desk.looked_ahead:  # a worker that died had started too
            return
        desk.ahead, desk.looked_ahead = agenda.next(), True
        if desk.ahead is not None:
            seeds = self._num_seeds(desk.ahead)
            self.workers.announce(desk.worker, desk.ahead.config, self.spec.recipe, seeds)

    def _judge(self, desk: Desk, epoch: int, early_stopping: EarlyStopping) -> None:
        """At a rung: tells the worker whether its trials go on."""
        assert desk.job is not None, "a worker that trains has a job"
        if epoch not in desk.rungs:
            return
        curve = desk.curve
        is_whole = len(curve) >= epoch  # else a seed has failed, and the others train on
        if is_whole and not desk.verdict.is_spared:
            verdict = early_stopping.judge(desk.job.config, epoch, curve[epoch - 1])
            desk.judged(verdict, epoch)
            if verdict.is_spared:  # whoever takes it up again must know
                self.store.update_trials(self.study.name, desk.under_way)
        self.workers.decide(desk.worker, not desk.verdict.stops)

    def _hear(self, desk: Desk, epochs: tuple[EpochRecord, ...]) -> None:
        """Writes down an epoch."""
        self.store.add_epochs(self.study.name, epochs)
        desk.add(epochs)
        for epoch in epochs:
            self.reporter.epoch(epoch)

    def _finish(
        self,
        desk: Desk,
        desks: list[Desk],
        agenda: Agenda,
        early_stopping: EarlyStopping,
    ) -> None:
        """Writes how a job's trials ended, and tells the sampler.

        They share out what their worker's wall clock shows, and that of workers with nothing to
        do: over all trials the shares of the study's wall clock add up to it.
        """
        assert desk.job is not None, "a worker that ends a job had one"
        now, elapsed = time.perf_counter(), 0.0
        for other in desks:
            if other is desk or other.job is None:
                elapsed += now - other.clock
                other.clock = now
        ended = [
            replace(
                trial,
                finished_at=datetime.now(UTC),
                wall_seconds=(trial.wall_seconds or 0.0)  # of an attempt that failed
                + elapsed / len(desks) / len(desk.running),
                num_workers=len(desks),
            )
            for trial in desk.running.values()
        ]
        self.store.update_trials(self.study.name, ended)
        for trial in ended:
            self.reporter.ended(trial)
        if self.checkpoints and not any(map(_keeps_checkpoint, ended)):
            self.checkpoints.discard(desk.first)
        trials = [t for t in desk.trials if t.number not in desk.running] + ended
        curve = desk.curve
        if desk.job.origin is Origin.SEARCH and all(t.state is State.COMPLETE for t in trials):
            early_stopping.ended(desk.job.config, curve)
        agenda.tell(desk.job, trials, curve)
        desk.job = None

    def _tries_again(self, trial: TrialRecord) -> bool:
        """Whether a trial that failed is trained once more; baselines where they are wanted."""
        is_wanted = trial.origin is Origin.SEARCH or trial.config in self.baselines
        return is_wanted and self.retry.takes(trial)

    def _refuse(self, proposal: Proposal, reason: str) -> TrialRecord:
        """Writes down a proposal that is not tried."""
        record = self._record(
            proposal.config, Origin.SEARCH, self.spec.seed, proposal.sampler_attrs
        )
        refused = replace(record, state=State.REFUSED, error=reason, finished_at=record.started_at)
        refused = self.store.add_trial(self.study.name, refused)
        self.reporter.ended(refused)
        return refused

    def _request(self, desk: Desk) -> TrialRequest:
        trials = list(desk.running.values())
        return TrialRequest(
            numbers=tuple(t.number for t in trials),
            seeds=tuple(t.seed for t in trials),
            config=trials[0].config,
            recipe=self.spec.recipe,
            rungs=desk.rungs,
            checkpointing=self.checkpoints.of(desk.first) if self.checkpoints else None,
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
            surroundings=self.workers.surroundings,
            sampler_attrs=dict(attrs),
            started_at=datetime.now(UTC),
        )


def _following(desk: Desk, desks: list[Desk]) -> Job | None:
    """What a worker does next: what it compiled ahead, else, at the end, what another one did."""
    for other in (desk, *desks):
        if other.ahead is not None:
            job, other.ahead = other.ahead, None
            return job
    return None


def _keeps_checkpoint(trial: TrialRecord) -> bool:
    """Whether a trial may go on from its checkpoint: it runs, or had too little time."""
    return trial.state is State.RUNNING or trial.failure is Failure.TIMEOUT


def _given_up(trial: TrialRecord, event: Idle | Lost) -> Failed:
    assert isinstance(event, Lost), "a worker that is idle has told how its trials ended"
    reason = f"its worker died twice ({event.reason})" if event.may_retry else event.reason
    return Failed(
        trial=trial.number,
        reason=reason,
        failure=event.failure,
        timeout_seconds=event.timeout_seconds,
    )
