"""What an earlier study lets a new one expect of its candidates.

Accuracies on other images or by another recipe do not compare, their order may. So an earlier study
has a Gaussian process of its own over the probits of its trials' ranks (the quantile scale of
Salinas, Shen and Perrone, "A quantile-based approach for hyperparameter transfer learning", 2020),
and its posterior mean at a candidate is one more input of the new study's model. That learns from
the study's own trials how far to follow it.

    earlier = optuna.load_study(study_name="last_year", storage="sqlite:///optuna.db")
    prior = RankPrior.from_trials(candidates, earlier.trials)
    sampler = CostAwareSampler(candidates, warm_start=[prior])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from optuna.trial import FrozenTrial, TrialState
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

from runs import pareto
from search.schedule.accuracy_model import AccuracyModel
from search.schedule.candidate_space import Candidates, CandidateSpace, Indices

Floats = npt.NDArray[np.float64]

_PLACES = (0.5, 0.25, 0.75)
"""Of starts, in the range of log FLOPs."""

FEWEST = 5
"""Trials of an earlier study that an order can be learnt from."""


class RankPrior:
    """The order in which trials of an earlier study let candidates be expected.

    Args:
        features: of the trials, a row each, as the candidates have them; NaN in the columns of
            which the earlier study says nothing.
        accuracies: of the trials.

    Raises:
        ValueError: there are fewer than five trials.
    """

    def __init__(self, features: Floats, accuracies: Sequence[float]) -> None:
        if len(accuracies) < FEWEST:
            raise ValueError(
                f"an earlier study has {len(accuracies)} complete trials of these candidates; "
                f"an order can be learnt from {FEWEST} or more"
            )
        self._known = ~np.isnan(features).any(axis=0)
        ranks = ndtri((rankdata(accuracies) - 0.5) / len(accuracies))
        self._model = AccuracyModel(features[:, self._known], ranks)
        self._expected = WeakKeyDictionary[Candidates, Floats]()

    @classmethod
    def from_trials(cls, candidates: CandidateSpace, trials: Sequence[FrozenTrial]) -> RankPrior:
        """Of the complete trials of an Optuna study that are members of the candidates' space."""
        found = [
            (index, trial.values[0])
            for trial in trials
            if trial.state is TrialState.COMPLETE
            and (index := candidates.index_of(trial.params)) is not None
        ]
        members = candidates.members([index for index, _ in found])
        return cls(members.features, [accuracy for _, accuracy in found])

    def __call__(self, candidates: Candidates) -> Floats:
        """Of each the share of the earlier study's trials that it is expected to be above."""
        if candidates not in self._expected:  # a space that is listed is the same object each time
            mean, _ = self._model.predict(candidates.features[:, self._known])
            self._expected[candidates] = np.asarray(ndtr(mean))
        return self._expected[candidates]


def with_expectations(candidates: Candidates, priors: Sequence[RankPrior]) -> Candidates:
    """The same with one more feature a prior."""
    if not priors or not len(candidates):
        return candidates
    columns = [prior(candidates) for prior in priors]
    return replace(candidates, features=np.column_stack([candidates.features, *columns]))


def expected_start(candidates: Candidates, num_priors: int, number: int) -> Indices:
    """The index of a candidate on the front that all priors together let expect.

    Args:
        candidates: with one more feature a prior.
        num_priors: how many.
        number: from 0: the first comes from the middle of log FLOPs, then from a quarter and from
            three.
    """
    expected = candidates.features[:, -num_priors:].mean(axis=1)
    front = np.array(pareto.front(10**candidates.log_flops, expected))
    low, high = candidates.log_flops.min(), candidates.log_flops.max()
    goal = low + (high - low) * _PLACES[number]
    nearest = np.abs(candidates.log_flops[front] - goal).argmin()
    return np.asarray(candidates.indices[front[nearest]])
