"""What an earlier study is worth to a search, and what it can cost: Optuna studies, no networks."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import IntDistribution
from optuna.trial import FrozenTrial, create_trial

from runs.pareto import Reference, hypervolume
from search.sampler import CandidateSpace, CostAwareSampler, RankPrior
from search.schedule.accuracy_model import AccuracyModel

SPACE = {name: IntDistribution(1, 9) for name in ("width", "depth")}
Accuracy = Callable[[dict[str, Any]], float]


def flops(params: Any) -> float:
    return 100.0 * params["depth"] * params["width"] ** 2


def accuracy(params: dict[str, Any]) -> float:
    """A ridge: of all depths one fits a width."""
    off = params["depth"] - 10 + params["width"]
    return 0.2 + 0.07 * params["width"] * math.exp(-(off**2) / 4)


def squared(params: dict[str, Any]) -> float:
    """Other accuracies in the same order."""
    return accuracy(params) ** 2


def reversed_(params: dict[str, Any]) -> float:
    return 1 - accuracy(params)


def candidates() -> CandidateSpace:
    return CandidateSpace(SPACE, flops)


def earlier(of: Accuracy, count: int = 30) -> list[FrozenTrial]:
    rng = np.random.default_rng(5)
    drawn = [{"width": int(w), "depth": int(d)} for w, d in rng.integers(1, 10, size=(count, 2))]
    return [
        create_trial(params=params, distributions=SPACE, values=[of(params), flops(params)])
        for params in drawn
    ]


def found(num_trials: int, seed: int, of: Accuracy | None) -> float:
    """Hypervolume of the front that so many trials find."""
    space = candidates()
    priors = [] if of is None else [RankPrior.from_trials(space, earlier(of))]
    sampler = CostAwareSampler(space, guess_accuracy=0.1, seed=seed, warm_start=priors)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    for _ in range(num_trials):
        trial = study.ask(SPACE)
        study.tell(trial, [accuracy(trial.params), flops(trial.params)])
    values = np.array([t.values for t in study.trials])
    return hypervolume(values[:, 1], values[:, 0], Reference(accuracy=0.2, cost=1e5))


@cache
def mean_found(num_trials: int, of: Accuracy | None) -> float:
    return float(np.mean([found(num_trials, seed, of) for seed in range(6)]))


def test_an_earlier_study_of_the_same_order_saves_trials() -> None:
    assert mean_found(6, squared) > mean_found(8, None)


def test_an_earlier_study_of_the_opposite_order_costs_little() -> None:
    assert mean_found(12, reversed_) > 0.9 * mean_found(12, None)


def test_what_is_expected_follows_from_the_order_alone() -> None:
    space = candidates()
    members = space.members([(w, d) for w in range(9) for d in range(9)])
    one, other = (RankPrior.from_trials(space, earlier(of))(members) for of in (accuracy, squared))
    np.testing.assert_array_equal(one, other)


def test_a_space_that_is_listed_is_predicted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    space, counted = candidates(), []
    prior = RankPrior.from_trials(space, earlier(accuracy))
    predict = AccuracyModel.predict

    def noting(model: AccuracyModel, features: np.ndarray) -> Any:
        counted.append(len(features))
        return predict(model, features)

    monkeypatch.setattr(AccuracyModel, "predict", noting)
    whole = space.members([(w, d) for w in range(9) for d in range(9)])
    for row in range(3):
        prior(space.members([(row, row)]))
        prior(whole)
    assert counted.count(81) == 1


def test_what_an_earlier_study_does_not_know_is_left_out() -> None:
    space = candidates()
    places = {"width": np.log2([1.0, 2.0, 4.0, 6.0, 8.0, 9.0])}
    features = space.features_of(places, np.full(6, np.nan))
    expected = RankPrior(features, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    same_width = expected(space.members([(4, depth) for depth in range(9)]))
    assert np.ptp(same_width) < 1e-9
    assert (np.diff(expected(space.members([(w, 0) for w in range(9)]))) > 0).all()


def test_too_few_trials_are_refused() -> None:
    with pytest.raises(ValueError, match="has 4 complete trials"):
        RankPrior.from_trials(candidates(), earlier(accuracy, 4))
