"""The search of one family: its sampler, its rungs, what is left to try, and what it has spent.

Nothing that another family achieves stops or refuses what is tried here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from runs.record import State, TrialRecord
from runs.seeds import by_configuration
from search.schedule.candidate import Candidate
from search.schedule.earlier_trials import EarlierTrials
from search.schedule.early_stopping import EarlyStopping
from search.schedule.optuna_adapter import OptunaAdapter, Proposal, SamplerSpec
from search.schedule.stopping_rule import StoppingRule
from search.schedule.untried import Untried
from search.spec.studies import StudySpec
from space.config import Config, ImageTask
from space.costs import FLOPS, Cost
from space.quantities import exact_count
from space.search_space import SearchSpace

_REFUSALS_IN_A_ROW = 10
"""After so many the sampler is repeating itself, and an untried configuration is drawn instead."""


class FamilySearch:
    """Proposes configurations of one family.

    Args:
        spec: of the study.
        space: the family's, narrowed to what can lie under the ceiling.
        task: of the images.
        max_flops: no configuration has more.
        cost: what the study minimises.
        max_cost: the ceiling of that.
        history: the family's trials of the search so far.
        curves: accuracies by epoch, by number; looked at again while the study runs.
        pending: configurations of the history whose end is told later.
        tried: what is not to be proposed: all the study has tried, and its baselines.
        rule: decides who stops at a rung.
        sampler: proposes.
        spent_before: FLOPs x epochs trained before the search, to find the family's learning rate.
        earlier: the family's trials in other studies, which the search is warm-started from.
    """

    def __init__(
        self,
        spec: StudySpec,
        space: SearchSpace,
        task: ImageTask,
        *,
        max_flops: float,
        cost: Cost = FLOPS,
        max_cost: float = math.inf,
        history: Sequence[TrialRecord],
        curves: Mapping[int, Sequence[float]],
        pending: Collection[Config],
        tried: Iterable[Config],
        rule: StoppingRule,
        sampler: SamplerSpec,
        spent_before: int = 0,
        earlier: Sequence[EarlierTrials] = (),
    ) -> None:
        self.early_stopping = EarlyStopping(
            spec.rungs,
            epochs=spec.recipe.epochs,
            seed=spec.seed,
            history=history,
            curves=curves,
            rule=rule,
            cost=cost,
        )
        self.sampler = OptunaAdapter(
            space,
            task,
            sampler=sampler,
            seed=spec.seed,
            max_flops=max_flops,
            cost=cost,
            max_cost=max_cost,
            min_accuracy=spec.min_accuracy,
            history=history,
            curves=curves,
            pending=pending,
            earlier=earlier,
        )
        self.untried = Untried(
            space,
            task,
            max_flops=max_flops,
            cost=cost,
            max_cost=max_cost,
            seed=spec.seed,
            tried=tried,
        )
        self.exhausted = False
        """Whether there was nothing left to propose."""
        self._curves = curves
        self._cost, self._max_flops, self._max_cost = cost, max_flops, max_cost
        self._asked_epochs = spec.seeds * spec.recipe.epochs
        self._spent_before = spent_before
        self._spent: dict[Config, int] = {}
        """FLOPs x epochs of every configuration, over its seeds."""
        for (config, _), trials in by_configuration(history).items():
            if config in pending:
                self.charge(Candidate.recorded(trials[0], cost))
            else:
                self.settle(trials)

    @property
    def spent(self) -> int:
        """Training compute so far, trials under way counted as asked for: FLOPs x epochs.

        Of one study that is as good as 3 x FLOPs x images: its trials see equally many an epoch.
        """
        return self._spent_before + sum(self._spent.values())

    def charge(self, candidate: Candidate) -> None:
        """A configuration is to be trained, all its epochs as far as is known."""
        self._spent[candidate.config] = candidate.flops * self._asked_epochs

    def settle(self, trials: Sequence[TrialRecord]) -> None:
        """The trials of a configuration have ended, or run: those that ended cost what they saw."""
        epochs = [
            trial.epochs
            if trial.state in {State.RUNNING, State.COMPLETE}
            else len(self._curves.get(trial.number, ()))
            for trial in trials
        ]
        self._spent[trials[0].config] = trials[0].flops * sum(epochs)

    def propose(self, refuse: Callable[[Proposal, str], TrialRecord]) -> Proposal | None:
        """The sampler's next configuration that may be tried; None when none is left.

        Args:
            refuse: writes down a proposal that may not be tried, and why.
        """
        if self.untried.none_left:
            return None
        for _ in range(0 if self.sampler.at_random else _REFUSALS_IN_A_ROW):
            proposal = self.sampler.ask()
            reason = self._reason_against(proposal.candidate)
            if reason is None:
                return proposal
            self.sampler.tell([refuse(proposal, reason)], proposal)
        config = self.untried.draw()
        return None if config is None else self.sampler.ask(config)

    def _reason_against(self, candidate: Candidate) -> str | None:
        """Why a configuration is not tried, in words; None if it may be."""
        flops = FLOPS, candidate.flops, self._max_flops
        for cost, value, limit in (flops, (self._cost, candidate.cost, self._max_cost)):
            if value > limit:
                return f"over the budget: {cost.exactly(value)} of at most {exact_count(limit)}"
        return None if candidate.config in self.untried else "tried before"
