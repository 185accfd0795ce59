"""What the samplers that ours is compared with have in common: they propose whole candidates."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from search.schedule.candidate_space import Candidates, CandidateSpace
from search.schedule.sampler import CostAwareSampler

SPREAD_STARTS = 6
"""So many trials of our sampler come before its model is asked."""

Floats = npt.NDArray[np.float64]
Order = Callable[[Floats, np.random.Generator], npt.NDArray[np.int64]]
"""The log10 FLOPs of all candidates and a generator to the order they are tried in."""


class JointSampler(BaseSampler):
    """Proposes all parameters together, by `sample_relative`.

    Args:
        candidates: what may be proposed, and its FLOPs.
        guess_accuracy: of a network that has learnt nothing.
    """

    def __init__(self, candidates: CandidateSpace, guess_accuracy: float = 0.0) -> None:
        self._candidates = candidates
        self._guess_accuracy = guess_accuracy
        self.ask_seed = 0
        """For one proposal: what a sampler that is made anew for it would be given."""

    def as_ours(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """What our sampler would try next while it only spreads trials over log FLOPs."""
        ours = CostAwareSampler(
            self._candidates,
            guess_accuracy=self._guess_accuracy,
            seed=self.ask_seed,
            startup_trials=SPREAD_STARTS,
        )
        return ours.sample_relative(study, trial, search_space)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """All parameters."""
        return dict(self._candidates.distributions)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Never asked for."""
        raise NotImplementedError(f"{param_name} is no parameter of the candidates")


class ListSampler(JointSampler):
    """Goes through all candidates in an order that no result changes. One object a study.

    Args:
        candidates: what may be proposed, and its FLOPs; all of it is listed.
        order: of the list.
        seed: of the order.
    """

    def __init__(self, candidates: CandidateSpace, order: Order, *, seed: int) -> None:
        super().__init__(candidates)
        listed = everything(candidates)
        self._left = iter(listed.indices[order(listed.log_flops, np.random.default_rng(seed))])

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The next of the list."""
        return self._candidates.params(next(self._left))


def cheapest_first(log_flops: Floats, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """By FLOPs, ascending."""
    return np.argsort(log_flops, kind="stable")


def mostly_cheap(log_flops: Floats, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """At random, each next with a chance proportional to 1 / FLOPs among those left.

    By the exponential race: what waits for an exponential time of that rate is drawn in such an
    order (Efraimidis and Spirakis 2006).
    """
    return np.argsort(log_flops + np.log10(rng.exponential(size=len(log_flops))))


def everything(candidates: CandidateSpace) -> Candidates:
    """All candidates under the ceiling, however many."""
    ranges = [range(_size(given)) for given in candidates.distributions.values()]
    members = candidates.members(list(itertools.product(*ranges)))
    return members.where(10**members.log_flops <= candidates.max_flops * (1 + 1e-9))


def untried(
    candidates: CandidateSpace, tried: Sequence[tuple[int, ...]], rng: np.random.Generator
) -> Candidates:
    """Candidates that are not among those tried: all, or of a large space some."""
    around = np.array(tried, dtype=np.int64).reshape(-1, len(candidates.distributions))
    pool, known = candidates.candidate_pool(around, rng), set(tried)
    return pool.where(np.array([tuple(row) not in known for row in pool.indices.tolist()]))


def _size(given: BaseDistribution) -> int:
    return len(given.choices) if hasattr(given, "choices") else (given.high - given.low) + 1
