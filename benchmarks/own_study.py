"""Optuna's samplers as their own experts would run them: each in a study of its own.

The coordinator asks one of these samplers for a configuration; it asks the expert's study, until
that proposes something under the ceiling that was not tried yet. FLOPs are arithmetic, so a
proposal over the ceiling costs nothing: `OwnStudySampler` records it in the expert's study as a
complete trial that violates a constraint (`Trial.set_constraint`), as Optuna's documentation
teaches, or, where the expert does better without, as a failed one. A proposal that was tried before
it records as failed.

An expert's study begins as ours does, spread over log FLOPs, or at random under the ceiling.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import optuna
from joint_sampler import SPREAD_STARTS, JointSampler, untried
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, Trial, TrialState

from search.schedule.candidate_space import Candidates, CandidateSpace

_TRIES = 10
"""Proposals that may be no use, before the nearest that is some is taken."""


class OwnStudySampler(JointSampler):
    """Asks an expert's study, and tells it how trials ended. One object a study: it has a state.

    Args:
        expert: a seed to the sampler.
        candidates: what may be proposed, and its FLOPs.
        guess_accuracy: the accuracy recorded for a proposal over the ceiling.
        seed: of all that is drawn.
        random_starts: so many trials come first that are drawn at random under the ceiling.
        our_starts: whether those of our sampler come before these.
        constrained: whether a proposal over the ceiling is recorded as complete and violating a
            constraint; else as failed.
        tries: proposals that may be no use.
    """

    def __init__(
        self,
        expert: Callable[[int], BaseSampler],
        candidates: CandidateSpace,
        *,
        guess_accuracy: float,
        seed: int,
        random_starts: int = 0,
        our_starts: bool = False,
        constrained: bool = True,
        tries: int = _TRIES,
    ) -> None:
        super().__init__(candidates, guess_accuracy)
        self._rng = np.random.default_rng(seed)
        self._study = optuna.create_study(directions=["maximize", "minimize"], sampler=expert(seed))
        self._num_spread = SPREAD_STARTS if our_starts else 0
        self._num_random = random_starts
        self._constrained, self._tries = constrained, tries
        self._asked: dict[int, Trial] = {}
        """Trials of the expert's study that still run, by the number of ours."""
        self._tried: set[tuple[int, ...]] = set()

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The parameters to try next: never what was tried, never over the ceiling."""
        self._tell(study)
        count = len(self._tried)
        if count < self._num_spread:
            asked = self._given(self.as_ours(study, trial, search_space))
        elif count < self._num_spread + self._num_random:
            asked = self._given(self._drawn())
        else:
            asked = self._proposed()
        self._tried.add(self._index(asked.params))
        self._asked[trial.number] = asked
        return asked.params

    def _tell(self, study: optuna.Study) -> None:
        """How the trials ended that have ended since."""
        trials = study.get_trials(deepcopy=False)
        for number in [n for n in self._asked if trials[n].state.is_finished()]:
            asked, ended = self._asked.pop(number), trials[number]
            if ended.state is TrialState.COMPLETE:
                if self._constrained:
                    asked.set_constraint("flops", self._over(asked.params))
                self._study.tell(asked, ended.values)
            else:
                self._study.tell(asked, state=TrialState.FAIL)

    def _given(self, params: Mapping[str, Any]) -> Trial:
        self._study.enqueue_trial(dict(params))
        return self._study.ask(self._candidates.distributions)

    def _proposed(self) -> Trial:
        """What the expert's sampler proposes, once it is something new under the ceiling."""
        last = None
        for _ in range(self._tries):
            asked = self._study.ask(self._candidates.distributions)
            last = asked.params
            over = self._over(last)
            if over <= 0 and self._index(last) not in self._tried:
                return asked
            if over > 0 and self._constrained and np.isfinite(over):
                asked.set_constraint("flops", over)
                self._study.tell(asked, [self._guess_accuracy, over + self._log_ceiling])
            else:
                self._study.tell(asked, state=TrialState.FAIL)
        return self._given(self._nearest(last))

    @property
    def _log_ceiling(self) -> float:
        return float(np.log10(self._candidates.max_flops))

    def _over(self, params: Mapping[str, Any]) -> float:
        """log10 of how many times the ceiling's FLOPs these parameters have."""
        log_flops = self._candidates.members([self._index(params)]).log_flops[0]
        return float(log_flops) - self._log_ceiling

    def _index(self, params: Mapping[str, Any]) -> tuple[int, ...]:
        index = self._candidates.index_of(params)
        assert index is not None, "every parameter is one of the space's"
        return index

    def _untried(self) -> Candidates:
        return untried(self._candidates, sorted(self._tried), self._rng)

    def _drawn(self) -> dict[str, Any]:
        pool = self._untried()
        return self._candidates.params(pool.indices[self._rng.integers(len(pool))])

    def _nearest(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The untried candidate that is nearest to these parameters."""
        pool = self._untried()
        here = self._candidates.members([self._index(params)]).features
        return self._candidates.params(
            pool.indices[int(((pool.features - here) ** 2).sum(axis=1).argmin())]
        )
