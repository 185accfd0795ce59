"""What a study trains next, and which trials continue: all that its coordinator asks.

Interrupted trials come first, then baselines, then what the sampler proposes. The study looks one
configuration ahead: while one trains, the next is proposed and compiled. So no proposal knows how
the configuration just before it ended. A study of one worker that is taken up again keeps to that,
and proposes what it would have proposed. Where several workers train, what a proposal knows depends
on which of them was faster.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from runs.record import Origin, State, TrialRecord
from runs.seeds import by_configuration, mean_curve
from search.schedule.candidate import Candidate
from search.schedule.early_stopping import Action, EarlyStopping, RungDecision
from search.schedule.optuna_adapter import OptunaAdapter, Proposal
from search.schedule.stopping_rule import StoppingRule, stopping_decision
from search.schedule.untried import Untried
from search.spec.studies import StudySpec
from space.config import Config, ImageTask
from space.costs import FLOPS, find_cost
from space.quantities import exact_count
from space.search_space import SearchSpace

__all__ = ["Action", "New", "Resume", "RungDecision", "Scheduler", "Suggestion"]

_REFUSALS_IN_A_ROW = 10
"""After so many the sampler is repeating itself, and an untried configuration is drawn instead."""


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A configuration to train now."""

    candidate: Candidate
    origin: Origin
    rungs: tuple[int, ...] = ()
    """The epochs after which `Scheduler.on_epoch` decides; none of a baseline."""
    proposal: Proposal | None = None
    """The sampler's own; None for one that is not to be told how it ended."""

    @property
    def config(self) -> Config:
        """What to train."""
        return self.candidate.config


@dataclass(frozen=True, kw_only=True)
class New(Suggestion):
    """A configuration without trials."""

    @property
    def sampler_attrs(self) -> dict[str, object]:
        """Kept in the records of its trials."""
        return dict(self.proposal.sampler_attrs) if self.proposal else {}


@dataclass(frozen=True, kw_only=True)
class Resume(Suggestion):
    """A configuration with trials that are to be trained on."""

    trials: tuple[TrialRecord, ...]
    """One a seed, those that have ended too."""


class Scheduler:
    """Suggests configurations in order, decides at rungs, and learns how trials ended.

    Args:
        spec: of the study.
        space: the ranges, narrowed to what can lie under the ceiling.
        task: of the images.
        max_flops: no configuration has more.
        max_cost: the study's ceiling, where it minimises another cost.
        baselines: to be trained before the search.
        history: all trials of the study; those to be trained on are running.
        curves: accuracies by epoch, by number; looked at again while the study runs.
        num_trials: configurations of the search's own that are to be finished in the end.
        refuse: writes down a proposal that may not be tried, and why.
        rule: decides who stops at a rung.
    """

    def __init__(
        self,
        spec: StudySpec,
        space: SearchSpace,
        task: ImageTask,
        *,
        max_flops: float,
        max_cost: float = math.inf,
        baselines: Sequence[Config],
        history: Sequence[TrialRecord],
        curves: Mapping[int, Sequence[float]],
        num_trials: int,
        refuse: Callable[[New, str], TrialRecord],
        rule: StoppingRule = stopping_decision,
    ) -> None:
        self._cost = find_cost(spec.cost)
        groups = by_configuration(history)
        searched = [t for t in history if t.origin is Origin.SEARCH]
        running = {t.config for t in searched if t.state is State.RUNNING}
        # in the order of their starts: what was tried again ended after trials of higher numbers
        ended = [t for t in searched if t.state not in {State.REFUSED, State.RUNNING}]
        last = max(ended, key=lambda t: (t.started_at, t.number), default=None)
        newest = last.config if last and not running else None
        self._early_stopping = EarlyStopping(
            spec.rungs,
            epochs=spec.recipe.epochs,
            seed=spec.seed,
            history=history,
            curves=curves,
            rule=rule,
            cost=self._cost,
        )
        self._sampler = OptunaAdapter(
            space,
            task,
            sampler=spec.sampler,
            seed=spec.seed,
            max_flops=max_flops,
            cost=self._cost,
            max_cost=max_cost,
            min_accuracy=spec.min_accuracy,
            history=searched,
            curves=curves,
            pending=running if newest is None else {newest},
        )
        tried = {config for config, _ in groups}
        self._untried = Untried(
            space,
            task,
            max_flops=max_flops,
            cost=self._cost,
            max_cost=max_cost,
            seed=spec.seed,
            tried=tried.union(baselines),
        )
        self._curves = curves
        self._max_flops, self._max_cost = max_flops, max_cost
        self._refuse = refuse
        self._missing = num_trials - sum(origin is Origin.SEARCH for _, origin in groups)
        self.exhausted = False
        """Whether there was nothing left to propose."""

        self._due: list[New | Resume] = []
        self._pending: Resume | None = None
        """The newest that ended, until the next is proposed without knowing how."""
        for (config, origin), trials in groups.items():
            if any(t.state is State.RUNNING for t in trials):
                self._due.append(self._resume(origin, trials))
            elif origin is Origin.SEARCH and config == newest:
                self._pending = self._resume(origin, trials)
        self._due += [
            New(candidate=Candidate.of(config, self._cost), origin=Origin.BASELINE)
            for config in baselines
            if config not in tried
        ]

    def suggest(self) -> New | Resume | None:
        """What is due after all that was suggested before; None when nothing is."""
        if self._due:
            return self._due.pop(0)
        if self._missing <= 0 or self.exhausted:
            return None
        suggestion = self._propose()
        if self._pending:
            known, self._pending = self._pending, None
            curves = [self._curves.get(trial.number, ()) for trial in known.trials]
            self._tell(known, known.trials, mean_curve(curves))
        if suggestion is None:
            self.exhausted = True
            return None
        self._missing -= 1
        self._untried.remove(suggestion.config)
        return suggestion

    def on_resume(self, suggestion: Suggestion, trials: Sequence[TrialRecord]) -> None:
        """Trials of an earlier process are being trained on, from where their curves end."""
        if suggestion.origin is Origin.SEARCH:
            self._early_stopping.recall(suggestion.config, trials, self._curves)

    def on_epoch(
        self,
        suggestion: Suggestion,
        trials: Sequence[TrialRecord],
        epoch: int,
        curve: Sequence[float],
    ) -> RungDecision | None:
        """Whether trials that have trained an epoch continue; None where nothing is decided.

        Args:
            suggestion: whose trials they are.
            trials: those under way; with a rung already, they are exempt from the rule.
            epoch: the number of the epoch.
            curve: accuracies by epoch, the mean of the seeds; shorter where a seed has failed, and
                then the others continue.
        """
        if epoch not in suggestion.rungs:
            return None
        if len(curve) < epoch or any(trial.rung is not None for trial in trials):
            return RungDecision()
        return self._early_stopping.decide(suggestion.candidate, epoch, curve[epoch - 1])

    def on_end(
        self, suggestion: Suggestion, trials: Sequence[TrialRecord], curve: Sequence[float] = ()
    ) -> None:
        """All trials of a suggestion have ended, with this curve (the mean of the seeds)."""
        is_complete = all(trial.state is State.COMPLETE for trial in trials)
        if suggestion.origin is Origin.SEARCH and is_complete:
            self._early_stopping.ended(suggestion.config, curve)
        self._tell(suggestion, trials, curve)

    def _tell(
        self, suggestion: Suggestion, trials: Sequence[TrialRecord], curve: Sequence[float]
    ) -> None:
        if suggestion.proposal:
            self._sampler.tell(trials, suggestion.proposal, curve)

    def _propose(self) -> New | None:
        """The sampler's next configuration that may be tried; None when none is left."""
        if self._untried.none_left:
            return None
        for _ in range(0 if self._sampler.at_random else _REFUSALS_IN_A_ROW):
            new = self._new(self._sampler.ask())
            reason = self._reason_against(new.candidate)
            if reason is None:
                return new
            self._tell(new, [self._refuse(new, reason)], ())
        config = self._untried.draw()
        return None if config is None else self._new(self._sampler.ask(config))

    def _new(self, proposal: Proposal) -> New:
        return New(
            candidate=proposal.candidate,
            origin=Origin.SEARCH,
            rungs=self._early_stopping.rungs,
            proposal=proposal,
        )

    def _resume(self, origin: Origin, trials: Sequence[TrialRecord]) -> Resume:
        is_searched = origin is Origin.SEARCH
        return Resume(
            candidate=Candidate.recorded(trials[0], self._cost),
            origin=origin,
            rungs=self._early_stopping.rungs if is_searched else (),
            proposal=self._sampler.pending.get(trials[0].config) if is_searched else None,
            trials=tuple(trials),
        )

    def _reason_against(self, candidate: Candidate) -> str | None:
        """Why a configuration is not tried, in words; None if it may be."""
        flops = FLOPS, candidate.flops, self._max_flops
        for cost, value, limit in (flops, (self._cost, candidate.cost, self._max_cost)):
            if value > limit:
                return f"over the budget: {cost.exactly(value)} of at most {exact_count(limit)}"
        return None if candidate.config in self._untried else "tried before"
