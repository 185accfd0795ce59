"""The coordinator of a study: the only one that asks, tells and writes."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from runs.record import EpochRecord, Origin, State, StudyRecord, Surroundings, TrialRecord
from runs.store import Writer
from search.sampler import Proposal, Proposer
from search.studies import StudySpec
from search.trial import EpochDone, Event, Failed, Finished, TrialRequest
from space.config import Config, ImageTask, MixerConfig
from space.cost import cost
from space.search_space import SearchSpace

_REFUSALS_IN_A_ROW = 10
"""After so many the sampler is repeating itself, and an untried configuration is drawn instead."""

_ENUMERABLE = 50_000
"""Spaces up to this size are searched through for the last untried configurations."""

Runner = Callable[[TrialRequest], Iterator[Event]]


class Reporter(Protocol):
    """Whoever shows how a study goes."""

    def started(self, trial: TrialRecord) -> None:
        """A trial begins: compiling, then training."""

    def epoch(self, epoch: EpochRecord) -> None:
        """The running trial has trained an epoch more."""

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
        run: trains a trial; `search.trial.run_trial` with data and device bound.
    """

    study: StudyRecord
    spec: StudySpec
    space: SearchSpace
    task: ImageTask
    baselines: tuple[Config, ...]
    store: Writer
    run: Runner
    surroundings: Surroundings
    reporter: Reporter

    def go(self, *, num_trials: int, deadline: float | None = None) -> None:
        """Runs until the study has `num_trials` finished trials of its own.

        Trials that a former process left running are trained again first, from the start. No
        trial begins after `deadline` (of `time.monotonic()`); one that runs is finished.
        """
        for trial in self.store.trials(self.study.name):
            if trial.state is State.RUNNING and not _past(deadline):
                self._resume(trial)
        tried = {t.config for t in self._trials() if t.state is not State.REFUSED}
        for config in self.baselines:
            if config not in tried and not _past(deadline):
                self._evaluate(config, Origin.BASELINE)
        self._search(num_trials, deadline)

    def _search(self, num_trials: int, deadline: float | None) -> None:
        history = [t for t in self._trials() if t.state is not State.RUNNING]
        tried = {t.config for t in history if t.state is not State.REFUSED}
        searched = [t for t in history if t.origin is Origin.SEARCH]
        proposer = Proposer(
            self.space,
            self.task,
            sampler=self.spec.sampler,
            seed=self.spec.seed,
            min_accuracy=self.spec.min_accuracy,
            history=searched,
        )
        finished = Counter(t.state for t in searched)
        missing = num_trials - sum(n for s, n in finished.items() if s is not State.REFUSED)
        for _ in range(missing):
            if _past(deadline):
                self.reporter.note("the time is up: no further trial is started")
                return
            found = self._propose(proposer, tried)
            if found is None:
                self.reporter.note(
                    "every configuration of the space within the budget has been tried: "
                    "the study is complete with fewer trials than asked for"
                )
                return
            tried.add(found.config)
            trial = self._evaluate(found.config, Origin.SEARCH, found.sampler_attrs)
            proposer.tell(trial, found)

    def _propose(self, proposer: Proposer, tried: set[Config]) -> Proposal | None:
        """The sampler's next configuration that may be tried; None when none is left."""
        for _ in range(0 if proposer.at_random else _REFUSALS_IN_A_ROW):
            proposal = proposer.ask()
            reason = self._refusal(proposal.config, tried)
            if reason is None:
                return proposal
            record = self._record(proposal.config, Origin.SEARCH, proposal.sampler_attrs)
            refused = replace(
                record, state=State.REFUSED, error=reason, finished_at=record.started_at
            )
            refused = self.store.add_trial(self.study.name, refused)
            proposer.tell(refused, proposal)
            self.reporter.ended(refused)
        config = self._untried(tried)
        return None if config is None else proposer.ask(config)

    def _refusal(self, config: Config, tried: set[Config]) -> str | None:
        """Why a configuration is not tried, in words; None if it may be."""
        flops = cost(config).flops
        if flops > self.study.flops_ceiling:
            return f"over the budget: {flops:,} FLOPs of at most {self.study.flops_ceiling:,}"
        if config in tried:
            return "tried before"
        return None

    def _untried(self, tried: set[Config]) -> MixerConfig | None:
        """An allowed configuration drawn at random, the same for the same history."""
        draw = random.Random(f"{self.spec.seed}/{len(tried)}")
        if self.space.size <= _ENUMERABLE:
            left = [c for c in self.space.members(self.task) if self._refusal(c, tried) is None]
            return draw.choice(left) if left else None
        for _ in range(_ENUMERABLE):
            values = {name: draw.choice(choices) for name, choices in self.space.ranges.items()}
            config = self.space.member(self.task, **values)
            if self._refusal(config, tried) is None:
                return config
        return None

    def _evaluate(
        self, config: Config, origin: Origin, attrs: dict[str, object] | None = None
    ) -> TrialRecord:
        trial = self.store.add_trial(self.study.name, self._record(config, origin, attrs or {}))
        return self._train(trial)

    def _resume(self, trial: TrialRecord) -> TrialRecord:
        trial = replace(trial, started_at=datetime.now(UTC), surroundings=self.surroundings)
        self.store.restart_trial(self.study.name, trial)
        self.reporter.note(f"trial {trial.number} was interrupted and starts again")
        return self._train(trial)

    def _train(self, trial: TrialRecord) -> TrialRecord:
        """Runs a trial that is in the store as running, writing what happens as it happens."""
        self.reporter.started(trial)
        request = TrialRequest(
            number=trial.number, config=trial.config, recipe=self.spec.recipe, seed=trial.seed
        )
        for event in self.run(request):
            match event:
                case EpochDone(epoch):
                    self.store.add_epoch(self.study.name, epoch)
                    self.reporter.epoch(epoch)
                case Finished(accuracy, loss, timing):
                    trial = replace(
                        trial, state=State.COMPLETE, accuracy=accuracy, loss=loss, timing=timing
                    )
                case Failed(reason):
                    trial = replace(trial, state=State.FAILED, error=reason)
        trial = replace(trial, finished_at=datetime.now(UTC))
        self.store.update_trial(self.study.name, trial)
        self.reporter.ended(trial)
        return trial

    def _record(self, config: Config, origin: Origin, attrs: dict[str, object]) -> TrialRecord:
        bill = cost(config)
        return TrialRecord(
            number=-1,  # the store knows
            state=State.RUNNING,
            origin=origin,
            config=config,
            params=bill.params,
            macs=bill.macs,
            seed=self.spec.seed,
            epochs=self.spec.recipe.epochs,
            surroundings=self.surroundings,
            sampler_attrs=dict(attrs),
            started_at=datetime.now(UTC),
        )

    def _trials(self) -> list[TrialRecord]:
        return self.store.trials(self.study.name)


def _past(deadline: float | None) -> bool:
    return deadline is not None and time.monotonic() >= deadline
