"""The model of the accuracy: against what is true, and against the textbook's formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import multivariate_normal

from search.schedule import kernel_fit
from search.schedule.accuracy_model import AccuracyModel
from search.schedule.kernel_fit import Covariance


def test_the_model_knows_a_smooth_surface_from_few_points() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(40, 3))
    surface = np.sin(2 * x[:, 0]) + x[:, 1]
    model = AccuracyModel(x[:30], surface[:30] + rng.normal(0, 0.05, 30))
    mean, std = model.predict(x[30:])
    assert np.abs(mean - surface[30:]).max() < 0.2
    assert (np.abs(mean - surface[30:]) < 4 * std).all()


def test_conditioning_on_a_value_narrows_the_model_there() -> None:
    x = np.linspace(0, 1, 8)[:, None]
    model = AccuracyModel(x, np.sin(3 * x[:, 0]))
    there = np.array([[0.5]])
    mean, before = model.predict(there)
    _, after = model.condition_on(there, mean).predict(there)
    assert after[0] < before[0]


def test_noise_is_told_from_what_features_explain() -> None:
    rng = np.random.default_rng(1)
    x = rng.uniform(size=(80, 2))
    model = AccuracyModel(x, 2 * x[:, 0] + rng.normal(0, 0.3, 80))
    assert 0.2 < np.sqrt(model.noise_variance) < 0.4


def test_parts_tell_the_end_though_the_worst_were_stopped_at_them() -> None:
    """Half are stopped, all of them worse: their ends are missing, and are found."""
    rng = np.random.default_rng(2)
    x = rng.uniform(size=(60, 2))
    end = 1.5 * x[:, 0] + 0.5 * x[:, 1]
    half = end - 0.8 - 0.3 * x[:, 1] + rng.normal(0, 0.05, 60)
    stopped = half < np.median(half)
    ended, all_rows = np.flatnonzero(~stopped), np.arange(60)
    model = AccuracyModel(
        np.concatenate([x[ended], x]),
        np.concatenate([end[ended], half]),
        np.concatenate([np.zeros(len(ended)), np.full(60, 0.4)]),
        np.concatenate([ended, all_rows]),
    )
    mean, std = model.predict(x[stopped])
    assert np.abs(mean - end[stopped]).mean() < 0.1
    assert (np.abs(mean - end[stopped]) < 4 * std).all()


def test_two_parts_of_one_training_are_less_than_two_trainings() -> None:
    x = np.array([[0.1], [0.5], [0.9], [0.5]])
    values, to_come = np.array([0.0, 1.0, 2.0, 0.5]), np.array([0.0, 0.0, 0.0, 0.5])
    covariance = Covariance(1.0, 0.3, 0.2, 0.02, np.array([1.0]))
    same = covariance.of(x, to_come, np.array([0, 1, 2, 1]))
    other = covariance.of(x, to_come, np.array([0, 1, 2, 3]))
    assert same[1, 3] == pytest.approx(other[1, 3] + 0.2)
    assert np.delete(same.ravel(), [7, 13]) == pytest.approx(np.delete(other.ravel(), [7, 13]))
    assert len(values) == len(same)


def test_hyperparameters_maximise_the_likelihood_times_the_prior(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The loss is SciPy's multivariate normal plus the prior; the gradient that of differences."""
    rng = np.random.default_rng(3)
    x, to_come = rng.uniform(size=(12, 3)), np.where(np.arange(12) % 3 == 0, 0.5, 0.0)
    trainings = np.arange(12) - (np.arange(12) % 3 == 0)
    values = rng.normal(size=12)
    seen: dict[str, Any] = {}
    minimize = kernel_fit.minimize

    def noting(loss: Any, start: Any, **settings: Any) -> Any:
        seen.update(loss=loss, start=start)
        return minimize(loss, start, **settings)

    monkeypatch.setattr(kernel_fit, "minimize", noting)
    found = kernel_fit.most_probable(x, values, to_come, trainings)
    theta = seen["start"] + rng.normal(0, 0.3, len(seen["start"]))
    loss, gradient = seen["loss"](theta)
    covariance = Covariance.from_log(theta).of(x, to_come, trainings)
    likelihood = multivariate_normal(np.zeros(12), covariance).logpdf(values)
    prior = 0.5 * float(((theta - seen["start"]) ** 2).sum())
    assert loss == pytest.approx(prior - likelihood - 6 * np.log(2 * np.pi))
    differences = approx_fprime(theta, lambda t: seen["loss"](t)[0], 1e-6)
    assert gradient == pytest.approx(differences, abs=1e-3)
    assert found.signal > 0
