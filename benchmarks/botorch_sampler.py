"""BoTorch's qLogNEHVI with exact FLOPs, over the candidates of a space, as an Optuna sampler.

The accuracy is a Gaussian process with BoTorch's own priors (`SingleTaskGP`), log10 FLOPs a
deterministic model, and the acquisition `qLogNoisyExpectedHypervolumeImprovement` (Daulton et al.
2021, Ament et al. 2023) is worked out for every candidate that was not tried. Needs the extra
`peers`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import optuna
import torch
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.deterministic import GenericDeterministicModel
from botorch.models.model import ModelList
from botorch.models.transforms import Standardize
from botorch.optim import optimize_acqf_discrete
from botorch.sampling.get_sampler import get_sampler
from gpytorch.mlls import ExactMarginalLogLikelihood
from joint_sampler import SPREAD_STARTS, JointSampler, untried
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from search.schedule.candidate_space import CandidateSpace

BATCH = 128
"""Candidates whose acquisition is worked out at once: more do not stay in a core's cache."""

SAMPLES = 64
"""Quasi-Monte Carlo draws of the accuracies (Sobol); BoTorch's default is 128, which takes twice as
long to score a candidate."""


class BoTorchSampler(JointSampler):
    """Proposes what BoTorch expects to add most to the hypervolume.

    Args:
        candidates: what may be proposed, and its FLOPs.
        guess_accuracy: of the reference point.
        seed: of the samples; the first trials are those of our sampler.
    """

    def __init__(self, candidates: CandidateSpace, *, guess_accuracy: float, seed: int) -> None:
        super().__init__(candidates, guess_accuracy)
        self._seed = seed

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The candidate to try next; never one that was tried."""
        others = [t for t in study.get_trials(deepcopy=False) if t.number != trial.number]
        complete = [t for t in others if t.state is TrialState.COMPLETE]
        if len(others) < SPREAD_STARTS or not complete:
            return self.as_ours(study, trial, search_space)
        rng = np.random.default_rng([self._seed, trial.number])
        pool = untried(self._candidates, [self._index(t) for t in others], rng)
        torch.manual_seed(self._seed + trial.number)
        known = self._features(complete)
        accuracies = torch.tensor([[t.values[0]] for t in complete], dtype=torch.double)
        learnt = SingleTaskGP(known, accuracies, outcome_transform=Standardize(1))
        fit_gpytorch_mll(ExactMarginalLogLikelihood(learnt.likelihood, learnt))
        low, high = self._extent(pool)
        flops = GenericDeterministicModel(lambda X: -(low + (high - low) * X[..., -1:]))
        running = [t for t in others if not t.state.is_finished()]
        model = ModelList(learnt, flops)
        acquisition = qLogNoisyExpectedHypervolumeImprovement(
            model=model,
            ref_point=[self._guess_accuracy, -np.log10(self._candidates.max_flops)],
            X_baseline=known,
            sampler=get_sampler(model.posterior(known), torch.Size([SAMPLES])),
            X_pending=self._features(running) if running else None,
            prune_baseline=True,
            cache_root=False,  # it cannot be kept of models of two kinds
        )
        choices = torch.from_numpy(pool.features)
        best, _ = optimize_acqf_discrete(acquisition, q=1, choices=choices, max_batch_size=BATCH)
        row = int(np.abs(pool.features - best.numpy()).sum(axis=1).argmin())
        return self._candidates.params(pool.indices[row])

    def _index(self, trial: FrozenTrial) -> tuple[int, ...]:
        index = self._candidates.index_of(trial.params)
        assert index is not None, "every parameter is one of the space's"
        return index

    def _features(self, trials: list[FrozenTrial]) -> torch.Tensor:
        members = self._candidates.members([self._index(t) for t in trials])
        return torch.from_numpy(members.features)

    def _extent(self, pool: Any) -> tuple[float, float]:
        """log10 FLOPs where the last feature is 0, and where it is 1."""
        slope, start = np.polyfit(pool.features[:, -1], pool.log_flops, 1)
        return float(start), float(start + slope)
