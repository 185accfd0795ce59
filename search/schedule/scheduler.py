"""What a study trains next, and which trials continue: all that its coordinator asks.

Interrupted trials come first, then baselines, then what the sampler proposes. The study looks one
configuration ahead: while one trains, the next is proposed and compiled. So no proposal knows how
the configuration just before it ended. A study of one worker that is taken up again keeps to that,
and proposes what it would have proposed. Where several workers train, what a proposal knows depends
on which of them was faster.

Where several families are searched, each has a sampler and rungs of its own, and the next new
configuration is of the family that has spent less on training so far.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Protocol

from runs.record import Failure, Origin, State, TrialRecord
from runs.seeds import by_configuration, mean_curve
from search.schedule.candidate import Candidate
from search.schedule.earlier_trials import EarlierTrials
from search.schedule.early_stopping import Action, RungDecision
from search.schedule.family_search import FamilySearch
from search.schedule.optuna_adapter import SAMPLERS, Proposal, SamplerSpec
from search.schedule.stopping_rule import StoppingRule, stopping_decision
from search.spec.studies import StudySpec
from space.config import Config, ImageTask
from space.costs import find_cost
from space.search_space import SearchSpace

__all__ = [
    "Action",
    "New",
    "Resume",
    "RungDecision",
    "Scheduler",
    "StudyScheduler",
    "Suggestion",
    "one_by_one",
]


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
    """A configuration for which trials are to be made, one a seed."""

    seeds: tuple[int, ...] | None = None
    """None for those of the study."""
    parent: int | None = None
    """Number of the trial that they repeat."""

    @property
    def sampler_attrs(self) -> dict[str, object]:
        """Kept in the records of its trials."""
        return dict(self.proposal.sampler_attrs) if self.proposal else {}


@dataclass(frozen=True, kw_only=True)
class Resume(Suggestion):
    """A configuration with trials that are to be trained on."""

    trials: tuple[TrialRecord, ...]
    """One a seed, those that have ended too."""


def one_by_one(suggestion: Suggestion, trials: Sequence[TrialRecord]) -> list[Resume]:
    """The seeds of a suggestion each alone, where a device had no room for all at once; else none.

    Args:
        suggestion: whose trials they are.
        trials: as they ended.
    """
    no_room = {Failure.DOES_NOT_FIT, Failure.OUT_OF_MEMORY}
    if len(trials) < 2 or not all(trial.failure in no_room for trial in trials):
        return []
    again = [replace(trial, state=State.RUNNING) for trial in trials]
    return [
        Resume(candidate=suggestion.candidate, origin=suggestion.origin, trials=(trial,))
        for trial in again
    ]


class StudyScheduler(Protocol):
    """What a coordinator asks and tells, as `Scheduler` says: of a search, a confirmation or a
    fine-tuning."""

    @property
    def exhausted(self) -> bool: ...

    def suggest(self) -> New | Resume | None: ...

    def on_resume(self, suggestion: Suggestion, trials: Sequence[TrialRecord]) -> None: ...

    def on_epoch(
        self,
        suggestion: Suggestion,
        trials: Sequence[TrialRecord],
        epoch: int,
        curve: Sequence[float],
    ) -> RungDecision | None: ...

    def on_end(
        self, suggestion: Suggestion, trials: Sequence[TrialRecord], curve: Sequence[float] = ()
    ) -> None: ...


class Scheduler:
    """Suggests configurations in order, decides at rungs, and learns how trials ended.

    Args:
        spec: of the study.
        spaces: by family, the ranges narrowed to what can lie under the ceiling.
        task: of the images.
        max_flops: no configuration has more.
        max_cost: the study's ceiling, where it minimises another cost.
        baselines: to be trained before the search.
        history: all trials of the study; those to be trained on are running. What is not part of
            the search is left out.
        curves: accuracies by epoch, by number; looked at again while the study runs.
        num_trials: configurations of the search's own that are to be finished in the end.
        refuse: writes down a proposal that may not be tried, and why.
        rule: decides who stops at a rung.
        sampler: proposes in the place of the one that the specification names.
        spent: by family, FLOPs x epochs of training before the search.
        earlier: trials of other studies, which the search is warm-started from.
    """

    def __init__(
        self,
        spec: StudySpec,
        spaces: Mapping[str, SearchSpace],
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
        sampler: SamplerSpec | None = None,
        spent: Mapping[str, int] = MappingProxyType({}),
        earlier: Sequence[EarlierTrials] = (),
    ) -> None:
        self._cost = find_cost(spec.cost)
        groups = by_configuration([t for t in history if t.in_search])
        searched = [t for t in history if t.origin is Origin.SEARCH]
        running = {t.config for t in searched if t.state is State.RUNNING}
        # in the order of their starts: what was tried again ended after trials of higher numbers
        ended = [t for t in searched if t.state not in {State.REFUSED, State.RUNNING}]
        last = max(ended, key=lambda t: (t.started_at, t.number), default=None)
        newest = last.config if last and not running else None
        pending = running if newest is None else {newest}
        tried = {config for config, _ in groups}
        self._families = {
            name: FamilySearch(
                spec,
                space,
                task,
                max_flops=max_flops,
                cost=self._cost,
                max_cost=max_cost,
                history=[t for t in searched if t.family == name],
                curves=curves,
                pending={config for config in pending if config.family == name},
                tried=tried.union(baselines),
                rule=rule,
                sampler=sampler or SAMPLERS[spec.sampler],
                spent_before=spent.get(name, 0),
                earlier=[trials for trials in earlier if trials.family == name],
            )
            for name, space in spaces.items()
        }
        self._curves = curves
        self._refuse = refuse
        self._missing = num_trials - sum(origin is Origin.SEARCH for _, origin in groups)
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

    @property
    def exhausted(self) -> bool:
        """Whether there was nothing left to propose."""
        return all(family.exhausted for family in self._families.values())

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
            return None
        self._missing -= 1
        self._family_of(suggestion).charge(suggestion.candidate)
        for family in self._families.values():
            family.untried.remove(suggestion.config)
        return suggestion

    def on_resume(self, suggestion: Suggestion, trials: Sequence[TrialRecord]) -> None:
        """Trials of an earlier process are being trained on, from where their curves end."""
        if suggestion.origin is Origin.SEARCH:
            early_stopping = self._family_of(suggestion).early_stopping
            early_stopping.recall(suggestion.config, trials, self._curves)

    def on_epoch(
        self,
        suggestion: Suggestion,
        trials: Sequence[TrialRecord],
        epoch: int,
        curve: Sequence[float],
    ) -> RungDecision | None:
        """Whether trials that have trained an epoch continue; None where nothing is decided.

        The sampler hears how far they are: what it proposes for other workers may follow from it.

        Args:
            suggestion: whose trials they are.
            trials: those under way; with a rung already, they are exempt from the rule.
            epoch: the number of the epoch.
            curve: accuracies by epoch, the mean of the seeds; shorter where a seed has failed, and
                then the others continue.
        """
        if suggestion.proposal and curve:
            self._family_of(suggestion).sampler.hear(suggestion.proposal, curve)
        if epoch not in suggestion.rungs:
            return None
        if len(curve) < epoch or any(trial.rung is not None for trial in trials):
            return RungDecision()
        early_stopping = self._family_of(suggestion).early_stopping
        return early_stopping.decide(suggestion.candidate, epoch, curve[epoch - 1])

    def on_end(
        self, suggestion: Suggestion, trials: Sequence[TrialRecord], curve: Sequence[float] = ()
    ) -> None:
        """All trials of a suggestion have ended, with this curve (the mean of the seeds)."""
        is_complete = all(trial.state is State.COMPLETE for trial in trials)
        if suggestion.origin is Origin.SEARCH and is_complete:
            self._family_of(suggestion).early_stopping.ended(suggestion.candidate, curve)
        self._tell(suggestion, trials, curve)

    def _tell(
        self, suggestion: Suggestion, trials: Sequence[TrialRecord], curve: Sequence[float]
    ) -> None:
        if suggestion.proposal:
            family = self._family_of(suggestion)
            family.sampler.tell(trials, suggestion.proposal, curve)
            family.settle(trials)

    def _propose(self) -> New | None:
        """The next configuration, of the family that has spent least; None when none is left."""
        for family in sorted(self._families.values(), key=lambda family: family.spent):
            if family.exhausted:
                continue
            proposal = family.propose(partial(self._refused, family))
            if proposal is not None:
                return _new(proposal, family)
            family.exhausted = True
        return None

    def _refused(self, family: FamilySearch, proposal: Proposal, reason: str) -> TrialRecord:
        return self._refuse(_new(proposal, family), reason)

    def _family_of(self, suggestion: Suggestion) -> FamilySearch:
        return self._families[suggestion.config.family]

    def _resume(self, origin: Origin, trials: Sequence[TrialRecord]) -> Resume:
        first = trials[0]
        family = self._families[first.family] if origin is Origin.SEARCH else None
        return Resume(
            candidate=Candidate.recorded(first, self._cost),
            origin=origin,
            rungs=family.early_stopping.rungs if family else (),
            proposal=family.sampler.pending.get(first.config) if family else None,
            trials=tuple(trials),
        )


def _new(proposal: Proposal, family: FamilySearch) -> New:
    return New(
        candidate=proposal.candidate,
        origin=Origin.SEARCH,
        rungs=family.early_stopping.rungs,
        proposal=proposal,
    )
