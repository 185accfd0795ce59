"""An Optuna sampler that knows what a network costs before it is trained.

Of the two objectives only the accuracy is unknown: a Gaussian process models it over the
parameters and log FLOPs, and the FLOPs are exact. Proposed is the candidate that is expected to
add most to the hypervolume for what it costs to train.

    from search.sampler import CandidateSpace, CostAwareSampler

    candidates = CandidateSpace(
        {"width": IntDistribution(16, 256, step=16), "depth": IntDistribution(1, 12)},
        flops=lambda params: 2 * params["depth"] * params["width"] ** 2,
        max_flops=1e6,
    )
    study = optuna.create_study(
        directions=["maximize", "minimize"],
        sampler=CostAwareSampler(candidates, guess_accuracy=0.1, seed=0),
    )

The first objective of the study is the accuracy, in [0, 1], to be maximised. The second one is to
be minimised; what it is, the sampler does not ask. FLOPs stand here for any cost that is known
beforehand, such as parameters.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState
from scipy.special import ndtr

from runs.pareto import Reference
from search.schedule.accuracy_model import AccuracyModel
from search.schedule.candidate_space import Candidates, CandidateSpace, Indices
from search.schedule.improvement import expected_improvement
from search.schedule.known_trials import PROPOSED, KnownTrials, checked_accuracy
from search.schedule.observations import observed
from search.schedule.one_blas_thread import one_blas_thread
from search.schedule.optuna_internals import set_system_attr
from search.schedule.starts import is_too_early, start
from search.schedule.warm_start import RankPrior, expected_start, with_expectations

Floats = npt.NDArray[np.float64]

_DIRECTIONS = ["maximize", "minimize"]

_EXPECTED_STARTS = (1, 3, 5)
"""Trials of a warm-started study that come from the front that earlier studies let expect; those
between them are spread over log FLOPs as in any study, lest all be lost where that is wrong."""

_ONE_AT_A_TIME = threading.Lock()
"""Held while a thread proposes: each must know what the others were given."""

_CLEARLY = 0.1
"""A network that is better than guessing by this share of what guessing misses has learnt."""


class CostAwareSampler(BaseSampler):
    """Proposes what is expected to add most to the hypervolume for its cost.

    Never what has been tried, or is being tried, or is over the ceiling, while something else is
    left. What it proposes follows from its seed and the study's trials.

    The front to improve on is the model's posterior mean at the trials, not their accuracies: of
    some hundred trials the luckiest would lie above all that can be expected. Hypervolume counts
    above the accuracy that half of the candidates are expected to reach, and not where networks are
    hardly better than guessing: else most trials would go to the many cheap ones, whose differences
    are noise.

    Args:
        candidates: what may be proposed, and its FLOPs.
        guess_accuracy: of a network that has learnt nothing.
        min_accuracy: less accurate trials are worth nothing.
        seed: None for another one every time.
        startup_trials: so many come first that are spread over log FLOPs; where the cheap ones have
            learnt nothing, over what lies above these. They go on where none that has ended has
            learnt anything and dearer ones run.
        cost_exponent: what is expected to be gained is divided by FLOPs to this power: 0 minds
            only the number of trials, 1 only the compute they take.
        warm_start: what earlier studies let expect, see `search.schedule.warm_start`.

    Raises:
        ValueError: from the study, where its directions are others, an accuracy is none, or the
            FLOPs are in its place.
    """

    def __init__(
        self,
        candidates: CandidateSpace,
        *,
        guess_accuracy: float = 0.0,
        min_accuracy: float = 0.0,
        seed: int | None = None,
        startup_trials: int = 6,
        cost_exponent: float = 0.75,
        warm_start: Sequence[RankPrior] = (),
    ) -> None:
        self._candidates = candidates
        self._learnt = max(min_accuracy, guess_accuracy + _CLEARLY * (1 - guess_accuracy))
        self._startup_trials = startup_trials
        self._cost_exponent = cost_exponent
        self._warm_start = warm_start
        self._set_seed(seed)

    def _set_seed(self, seed: int | None) -> None:
        self._seed = int(np.random.default_rng(seed).integers(2**31))
        self._independent = RandomSampler(seed=self._seed)

    def reseed_rng(self) -> None:
        """Another seed, as Optuna asks for where studies run side by side."""
        self._set_seed(None)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Refuses a study whose directions are others, before anything is trained."""
        directions = [direction.name.lower() for direction in study.directions]
        if directions != _DIRECTIONS:
            raise ValueError(
                f"study {study.study_name!r} has the directions {directions}; make it with "
                f"directions={_DIRECTIONS} and return the accuracy first, the FLOPs second"
            )

    def after_trial(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Refuses objectives in the wrong order as soon as a trial shows it."""
        if state is not TrialState.COMPLETE or values is None:
            return
        checked_accuracy(trial.number, values[0])
        index = self._candidates.index_of(trial.params)
        if index is None:
            return
        flops = 10 ** float(self._candidates.members([index]).log_flops[0])
        if math.isclose(values[0], flops) and not math.isclose(values[1], flops):
            raise ValueError(
                f"trial {trial.number} has its FLOPs, {flops:g}, as the first objective; "
                "return the accuracy first, the FLOPs second"
            )

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """All parameters of the candidates: they are proposed together."""
        return dict(self._candidates.distributions)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The parameters to try next."""
        if "fixed_params" in trial.system_attrs:  # they are given
            return {}
        with _ONE_AT_A_TIME, one_blas_thread():
            index = self._propose(study, trial)
            set_system_attr(study, trial, PROPOSED, index.tolist())
        return self._candidates.params(index)

    def _propose(self, study: optuna.Study, trial: FrozenTrial) -> Indices:
        """The index of the candidate to try next."""
        known = KnownTrials(
            self._candidates,
            [t for t in study.get_trials(deepcopy=False) if t.number != trial.number],
        )
        rng = np.random.default_rng([self._seed, trial.number])
        pool = self._candidates.candidate_pool(known.members.indices[known.front], rng)
        known.members = with_expectations(known.members, self._warm_start)
        pool = with_expectations(pool, self._warm_start)
        tried = set(known.indices)
        fresh = np.array([tuple(row) not in tried for row in pool.indices.tolist()], dtype=bool)
        if fresh.any():
            pool = pool.where(fresh)
        if self._warm_start and len(known) in _EXPECTED_STARTS:
            return expected_start(pool, len(self._warm_start), len(known) // 2)
        if len(known) < self._startup_trials or is_too_early(known, self._learnt):
            return start(pool, known, self._learnt, rng)
        return np.asarray(pool.indices[int(self._acquisition_values(pool, known).argmax())])

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """A parameter that is not one of the candidates', at random."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def _acquisition_values(self, pool: Candidates, known: KnownTrials) -> Floats:
        """Of each candidate, log10: expected hypervolume improvement for its FLOPs."""
        seen = observed(known)
        model = AccuracyModel(
            known.members.features[seen.rows], seen.values, seen.to_come, seen.rows
        )
        reached = known.is_complete | known.is_running
        there = known.members.where(reached)
        posterior_mean, _ = model.predict(there.features)
        front = list(zip(10**there.log_flops, ndtr(posterior_mean), strict=True))
        running = known.is_running[reached]
        if running.any():  # they are assumed to end at the posterior mean
            model = model.condition_on(there.features[running], posterior_mean[running])
        mean, std = model.predict(pool.features)
        floor = max(self._learnt, float(ndtr(np.median(mean))))
        reference = Reference(accuracy=floor, cost=self._ceiling(pool, known))
        improvement = expected_improvement(
            pool.log_flops, mean, std, front=front, reference=reference
        )
        with np.errstate(divide="ignore"):
            return np.asarray(np.log10(improvement) - self._cost_exponent * pool.log_flops)

    def _ceiling(self, pool: Candidates, known: KnownTrials) -> float:
        """FLOPs of the reference point: the ceiling, or the most expensive member there is."""
        most = max(pool.log_flops.max(), known.members.log_flops.max())
        return float(min(self._candidates.max_flops, 10 ** (most + 0.01)))
