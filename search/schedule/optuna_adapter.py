"""The study in memory that Optuna's samplers see: rebuilt from our records, asked and told.

Our SQL is the only truth. Optuna sees two objectives, accuracy (maximised) and log10 of
the cost (minimised; the logarithm, so that its hypervolumes are ours), and of a trial only what our
records say. Every ask has a random generator of its own, made from the study's seed and the
number of asks before it: an interrupted study proposes what it would have proposed.

To Optuna a configuration is one trial, however many seeds train it: its value is their mean. A
parameter is the index of its value in the space's range.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.samplers import BaseGASampler, BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from runs.record import State, TrialRecord
from runs.seeds import mean_curve
from search.schedule.candidate import Candidate
from search.schedule.candidate_space import CandidateSpace
from search.schedule.earlier_trials import EarlierTrials
from search.schedule.known_trials import CURVE, PROPOSED
from search.schedule.optuna_internals import parents, recall_parents, reopened, set_param
from search.schedule.sampler import CostAwareSampler
from search.schedule.warm_start import RankPrior
from space.config import Config, ImageTask
from space.costs import FLOPS, Cost
from space.search_space import SearchSpace
from space.suggest import suggest

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class SamplerSpec:
    """How to make one of Optuna's samplers, and what it needs."""

    make: Callable[[int, CandidateSpace, float, float, Sequence[RankPrior]], BaseSampler]
    """From a seed, the candidates, the accuracy of guessing, that below which the study calls a
    trial useless, and what earlier studies let expect."""
    random_trials: float
    """Until so many trials are complete the sampler itself draws at random."""
    learns_from_stopped: bool = False
    """Whether it knows trials that were stopped early; to another sampler they are complete, with
    the accuracy they had."""


SAMPLERS = {
    "cost_aware": SamplerSpec(
        lambda seed, candidates, guess, least, warm_start: CostAwareSampler(
            candidates,
            guess_accuracy=guess,
            min_accuracy=least,
            seed=seed,
            warm_start=warm_start,
        ),
        random_trials=0,
        learns_from_stopped=True,
    ),
    "tpe": SamplerSpec(
        lambda seed, *_: TPESampler(seed=seed, n_startup_trials=10), random_trials=10
    ),
    "nsga2": SamplerSpec(
        lambda seed, *_: NSGAIISampler(seed=seed, population_size=20), random_trials=20
    ),
    "random": SamplerSpec(lambda seed, *_: RandomSampler(seed=seed), random_trials=math.inf),
}
"""By name. NSGA-II's population fits studies of some hundred trials."""

_CONSTRAINT = "min_accuracy"

_OF_THE_ASK = {"fixed_params", PROPOSED}
"""Attributes that the parameters make redundant once they are set."""


@dataclass(frozen=True)
class Proposal:
    """What a sampler proposes."""

    candidate: Candidate
    sampler_attrs: dict[str, Any]
    """Kept in the trial's record, so that a rebuilt study has it."""
    number: int
    """Of the trial in the Optuna study."""

    @property
    def config(self) -> Config:
        """The configuration to try."""
        return self.candidate.config


class OptunaAdapter:
    """Asks and tells; holds nothing that the records and the specification do not hold."""

    def __init__(
        self,
        space: SearchSpace,
        task: ImageTask,
        *,
        sampler: SamplerSpec,
        seed: int,
        max_flops: float,
        min_accuracy: float | None,
        cost: Cost = FLOPS,
        max_cost: float = math.inf,
        history: Sequence[TrialRecord] = (),
        curves: Mapping[int, Sequence[float]] | None = None,
        pending: Collection[Config] = (),
        earlier: Sequence[EarlierTrials] = (),
    ) -> None:
        """An Optuna study that holds what the records say.

        Args:
            space: where to propose from.
            task: of the images.
            sampler: one of `SAMPLERS`, or another.
            seed: of the study.
            max_flops: of one image, forward.
            cost: what the study minimises.
            max_cost: of that.
            min_accuracy: below it a trial counts as useless.
            history: the search's trials so far by number, one or several a configuration.
            curves: their accuracies by epoch, by number.
            pending: configurations of the history whose end is told later; see the attribute.
            earlier: trials of the family in other studies, which the search is warm-started from.
        """
        self._space = space
        self._task = task
        self._spec = sampler
        self._seed = seed
        self._cost = cost
        self._max_flops = max_flops
        self._min_accuracy = min_accuracy
        self._distributions: dict[str, BaseDistribution] = {
            name: IntDistribution(0, len(values) - 1) for name, values in space.ranges.items()
        }
        self._candidates = CandidateSpace(
            self._distributions,
            self._cost_of,
            max_flops=min(max_flops, max_cost) if cost is FLOPS else max_cost,
            scales={name: np.log2(values).tolist() for name, values in space.ranges.items()},
        )
        self._warm_start = [trials.prior(self._candidates, space, task) for trials in earlier]
        self._study = optuna.create_study(directions=["maximize", "minimize"])
        groups = _by_proposal(history)
        frozen = [self._frozen(group, curves or {}, pending) for group in groups]
        self._study.add_trials(frozen)
        self._num_asked = len(frozen)
        self._num_complete = sum(trial.state is TrialState.COMPLETE for trial in frozen)
        genetic = self._sampler()
        if isinstance(genetic, BaseGASampler):
            recall_parents(self._study, genetic)
        self.pending: dict[Config, Proposal] = {}
        """The proposals whose end is still to be told, by configuration."""
        for number, (first, *_) in enumerate(groups):
            if first.config in pending and first.state is not State.REFUSED:
                attrs = dict(first.sampler_attrs)
                proposal = Proposal(Candidate.recorded(first, cost), attrs, number)
                self.pending[first.config] = proposal

    @property
    def at_random(self) -> bool:
        """Whether the sampler would draw the next configuration at random.

        It would draw from the whole space, much of which may be over the budget: the caller draws
        from what is not, and gives that to `ask(config)`.
        """
        return self._num_complete < self._spec.random_trials

    def ask(self, config: Config | None = None) -> Proposal:
        """What the sampler proposes next, unchecked; or a given configuration, as its own."""
        sampler = self._study.sampler = self._sampler()
        if config is not None:
            self._study.enqueue_trial(self._indices(config))
        trial = self._study.ask()
        self._num_asked += 1
        proposed = suggest(trial, self._space, self._task)
        self._correct(trial, proposed)
        asked = self._study.get_trials(deepcopy=False)[trial.number]
        chosen: dict[str, Any] = {}
        if isinstance(sampler, BaseGASampler):  # a trial with given values joins its generation too
            generation = sampler.get_trial_generation(self._study, asked)
            asked = self._study.get_trials(deepcopy=False)[trial.number]
            chosen = parents(self._study, sampler, generation)
        attrs = {k: v for k, v in asked.system_attrs.items() if k not in _OF_THE_ASK}
        return Proposal(Candidate.of(proposed, self._cost), attrs | chosen, trial.number)

    def hear(self, proposal: Proposal, curve: Sequence[float]) -> None:
        """The trials of a proposal are under way, with these accuracies by epoch so far."""
        reopened(self._study, proposal.number).set_user_attr(CURVE, list(curve))

    def tell(
        self, trials: Sequence[TrialRecord], proposal: Proposal, curve: Sequence[float] = ()
    ) -> None:
        """How the trials of a proposal ended: all complete, or failed, pruned or refused.

        Args:
            trials: one a seed.
            proposal: whose configuration was tried.
            curve: accuracies by epoch, the mean of the seeds.
        """
        state = self._state(trials)
        trial = reopened(self._study, proposal.number)
        if curve:
            trial.set_user_attr(CURVE, list(curve))
        if state is not TrialState.COMPLETE:
            self._study.tell(proposal.number, state=state)
            return
        for name, value in self._constraints(trials).items():
            trial.set_constraint(name, value)
        self._study.tell(proposal.number, self._values(trials))
        self._num_complete += 1

    def _cost_of(self, indices: Mapping[str, int]) -> float:
        """Of the member with these indices; infinite where these make no network, or one of too
        many FLOPs."""
        values = tuple(choices[indices[name]] for name, choices in self._space.ranges.items())
        if not self._space.holds(values):
            return math.inf
        flops = self._space.cost_of(self._task, values)
        if self._cost is FLOPS:
            return flops
        if flops > self._max_flops:
            return math.inf
        return self._space.cost_of(self._task, values, self._cost)

    def _correct(self, trial: optuna.trial.Trial, config: Config) -> None:
        """Has Optuna's trial the parameters of what is tried: the nearest member to what it drew.

        A study that is rebuilt from the records knows no others.
        """
        for name, index in self._indices(config).items():
            if index != trial.params[name]:
                set_param(self._study, trial, name, index, self._distributions[name])

    def _state(self, trials: Sequence[TrialRecord]) -> TrialState:
        """What the trials of a proposal are to Optuna."""
        states = {trial.state for trial in trials}
        if states == {State.COMPLETE}:
            return TrialState.COMPLETE
        if states == {State.REFUSED} and self._spec.learns_from_stopped:
            return TrialState.PRUNED  # before its first epoch: it says nothing of the accuracy
        if states <= {State.COMPLETE, State.PRUNED}:
            learns = self._spec.learns_from_stopped
            return TrialState.PRUNED if learns else TrialState.COMPLETE
        return TrialState.FAIL

    def _indices(self, config: Config) -> dict[str, int]:
        return {
            name: values.index(getattr(config, name)) for name, values in self._space.ranges.items()
        }

    def _sampler(self) -> BaseSampler:
        seed = random.Random(f"{self._seed}/{self._num_asked}").getrandbits(31)
        guess, least = 1 / self._task.num_classes, self._min_accuracy or 0.0
        return self._spec.make(seed, self._candidates, guess, least, self._warm_start)

    def _frozen(
        self,
        group: Sequence[TrialRecord],
        curves: Mapping[int, Sequence[float]],
        pending: Collection[Config],
    ) -> optuna.trial.FrozenTrial:
        first = group[0]
        if first.config in pending and first.state is not State.REFUSED:
            state = TrialState.RUNNING
        else:
            state = self._state(group)
        curve = mean_curve([curves.get(trial.number, ()) for trial in group])
        is_told = curve and state is not TrialState.RUNNING
        complete = state is TrialState.COMPLETE
        return optuna.trial.create_trial(
            state=state,
            values=self._values(group) if complete else None,
            params=self._indices(first.config),
            distributions=self._distributions,
            system_attrs=first.sampler_attrs,
            user_attrs={CURVE: curve} if is_told else {},
            constraints=self._constraints(group) if complete else {},
        )

    def _constraints(self, trials: Sequence[TrialRecord]) -> dict[str, float]:
        """Optuna's way to say a result is useless: above zero is infeasible."""
        if self._min_accuracy is None:
            return {}
        return {_CONSTRAINT: self._min_accuracy - self._values(trials)[0]}

    def _values(self, trials: Sequence[TrialRecord]) -> list[float]:
        """The objectives of the trials of a configuration."""
        accuracies = [trial.accuracy for trial in trials if trial.accuracy is not None]
        assert len(accuracies) == len(trials), "complete and stopped trials have an accuracy"
        cost = Candidate.recorded(trials[0], self._cost).cost
        return [fmean(accuracies), math.log10(cost)]


def _by_proposal(history: Sequence[TrialRecord]) -> list[list[TrialRecord]]:
    """The trials of each proposal together, in the order they were proposed."""
    groups: list[list[TrialRecord]] = []
    newest: dict[Config, list[TrialRecord]] = {}
    for trial in history:
        group = [] if trial.state is State.REFUSED else newest.get(trial.config, [])
        if not group or any(trial.seed == other.seed for other in group):
            group = []
            groups.append(group)
            if trial.state is not State.REFUSED:
                newest[trial.config] = group
        group.append(trial)
    return groups
