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
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState
from scipy.special import ndtr

from runs import pareto
from runs.pareto import Reference
from search.schedule.accuracy_model import AccuracyModel
from search.schedule.candidate_space import Candidates, CandidateSpace, Indices
from search.schedule.forecast import Forecast
from search.schedule.improvement import expected_improvement
from search.schedule.one_blas_thread import one_blas_thread
from search.schedule.optuna_internals import set_system_attr
from search.schedule.probit import probit
from search.schedule.warm_start import RankPrior, expected_start, with_expectations

Floats = npt.NDArray[np.float64]

CURVE = "accuracy_by_epoch"
"""User attribute of a trial: its accuracies after every epoch it has trained, a list. With it the
sampler learns from trials that were stopped early, too."""

PROPOSED = "cost_aware:positions"
"""System attribute of a trial: what it was proposed, which others must know before it has asked
for its parameters."""

_DIRECTIONS = ["maximize", "minimize"]

_EXPECTED_STARTS = (1, 3, 5)
"""Trials of a warm-started study that come from the front that earlier studies let expect; those
between them are spread over log FLOPs as in any study, lest all be lost where that is wrong."""

_ONE_AT_A_TIME = threading.Lock()
"""Held while a thread proposes: each must know what the others were given."""

_MOST_TO_LEARN_FROM = 400
"""Trials the model is made of, the newest, besides those of the front: its cost grows with the
cube."""


class CostAwareSampler(BaseSampler):
    """Proposes what is expected to add most to the hypervolume for its cost.

    Never what has been tried, or is being tried, or is over the ceiling, while something else is
    left. What it proposes follows from its seed and the study's trials.

    The front to improve on is the model's posterior mean at the trials, not their accuracies: of
    some hundred trials the luckiest would lie above all that can be expected.

    Args:
        candidates: what may be proposed, and its FLOPs.
        guess_accuracy: of the reference point; less accurate trials are worth nothing.
        seed: None for another one every time.
        startup_trials: so many come first that are spread over log FLOPs.
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
        seed: int | None = None,
        startup_trials: int = 6,
        cost_exponent: float = 0.5,
        warm_start: Sequence[RankPrior] = (),
    ) -> None:
        self._candidates = candidates
        self._guess_accuracy = guess_accuracy
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
        _check_accuracy(trial.number, values[0])
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
        known = _Known(
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
        if self._warm_start and len(known.trials) in _EXPECTED_STARTS:
            return expected_start(pool, len(self._warm_start), len(known.trials) // 2)
        if len(known.trials) < self._startup_trials or not known.is_complete.any():
            return _spread_out(pool, known, rng)
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

    def _acquisition_values(self, pool: Candidates, known: _Known) -> Floats:
        """Of each candidate, log10: expected hypervolume improvement for its FLOPs."""
        values, variances = known.observed()
        newest = np.flatnonzero(np.isfinite(values))[-_MOST_TO_LEARN_FROM:]
        learnt = np.union1d(newest, known.front)
        model = AccuracyModel(known.members.features[learnt], values[learnt], variances[learnt])
        reached = known.is_complete | known.is_running
        there = known.members.where(reached)
        posterior_mean, _ = model.predict(there.features)
        front = list(zip(10**there.log_flops, ndtr(posterior_mean), strict=True))
        running = known.is_running[reached]
        if running.any():  # they are assumed to end at the posterior mean
            model = model.condition_on(there.features[running], posterior_mean[running])
        mean, std = model.predict(pool.features)
        reference = Reference(accuracy=self._guess_accuracy, cost=self._ceiling(pool, known))
        improvement = expected_improvement(
            pool.log_flops, mean, std, front=front, reference=reference
        )
        with np.errstate(divide="ignore"):
            return np.asarray(np.log10(improvement) - self._cost_exponent * pool.log_flops)

    def _ceiling(self, pool: Candidates, known: _Known) -> float:
        """FLOPs of the reference point: the ceiling, or the most expensive member there is."""
        most = max(pool.log_flops.max(), known.members.log_flops.max())
        return float(min(self._candidates.max_flops, 10 ** (most + 0.01)))


class _Known:
    """The trials of a study that are members of the space, a row each."""

    def __init__(self, candidates: CandidateSpace, trials: Sequence[FrozenTrial]) -> None:
        found = [(index, t) for t in trials if (index := _index_of(candidates, t)) is not None]
        self.trials = [trial for _, trial in found]
        self.indices = [index for index, _ in found]
        self.members = candidates.members(self.indices)
        self.is_complete = np.array([t.state is TrialState.COMPLETE for t in self.trials], bool)
        self.is_running = np.array([not t.state.is_finished() for t in self.trials], bool)

    @cached_property
    def front(self) -> list[int]:
        """Which complete trials are not dominated."""
        rows = np.flatnonzero(self.is_complete)
        accuracies = [_accuracy(self.trials[row]) for row in rows]
        return [int(rows[i]) for i in pareto.front(10 ** self.members.log_flops[rows], accuracies)]

    def observed(self) -> tuple[Floats, Floats]:
        """Probits of the accuracies and their variances beyond noise; NaN where nothing is known.

        A trial that was stopped is extrapolated; one that failed is as bad as the worst. Nothing
        is known of those that run, and of those that were stopped before they had an accuracy.
        """
        values = np.full(len(self.trials), np.nan)
        variances = np.zeros(len(self.trials))
        for i, trial in enumerate(self.trials):
            if trial.state is TrialState.COMPLETE:
                values[i] = probit(np.array(_accuracy(trial)))
        complete = [t for t in self.trials if t.state is TrialState.COMPLETE]
        forecast = Forecast([t.user_attrs[CURVE] for t in complete if t.user_attrs.get(CURVE)])
        for i, trial in enumerate(self.trials):
            curve = trial.user_attrs.get(CURVE)
            if trial.state is TrialState.PRUNED and curve:
                values[i], variances[i] = forecast(curve)
        worst = np.nanmin(values)
        for i, trial in enumerate(self.trials):
            if trial.state is TrialState.FAIL:
                values[i] = worst
        return values, variances


def _index_of(candidates: CandidateSpace, trial: FrozenTrial) -> tuple[int, ...] | None:
    """The index of a trial; None if it is no member, or has asked for no parameters yet."""
    index = candidates.index_of(trial.params)
    if index is None and not trial.state.is_finished() and PROPOSED in trial.system_attrs:
        return tuple(trial.system_attrs[PROPOSED])
    return index


def _accuracy(trial: FrozenTrial) -> float:
    return _check_accuracy(trial.number, float(trial.values[0]))


def _check_accuracy(number: int, accuracy: float) -> float:
    if not 0 <= accuracy <= 1:
        raise ValueError(
            f"trial {number} has the accuracy {accuracy:g}; the first objective must lie in "
            "[0, 1]: divide percents by 100, and return the accuracy first, the FLOPs second"
        )
    return accuracy


def _spread_out(pool: Candidates, known: _Known, rng: np.random.Generator) -> Indices:
    """Of several candidates at random the one farthest from what has been tried, FLOPs first."""
    low, high = pool.log_flops.min(), pool.log_flops.max()
    goal = low + (high - low) * _van_der_corput(len(known.trials) + 1)
    nearest = np.argsort(np.abs(pool.log_flops - goal), kind="stable")[: max(1, len(pool) // 10)]
    some = rng.choice(nearest, size=min(16, len(nearest)), replace=False)
    if not len(known.trials):
        return np.asarray(pool.indices[some[0]])
    apart = pool.features[some][:, None, :] - known.members.features
    farthest = int((apart**2).sum(axis=2).min(axis=1).argmax())
    return np.asarray(pool.indices[some[farthest]])


def _van_der_corput(index: int) -> float:
    """The index-th point, from 1, of the sequence 1/2, 1/4, 3/4, 1/8, ..."""
    return sum(int(bit) * 0.5 ** (i + 1) for i, bit in enumerate(reversed(f"{index:b}")))
