"""Expected hypervolume improvement: against Monte Carlo, brute force and Optuna's hypervolume."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna._hypervolume import compute_hypervolume
from scipy.special import ndtr
from scipy.stats import multivariate_normal

from runs.pareto import Reference, hypervolume
from search.schedule.improvement import _both_below, expected_excess, expected_improvement

REFERENCE = Reference(accuracy=0.1, cost=4e6)
POINTS = st.lists(st.tuples(st.floats(4e4, 3.9e6), st.floats(0.11, 0.999)), max_size=8)


def improvement(log_flops: float, mean: float, std: float, front: list) -> float:
    arrays = (np.array([log_flops]), np.array([mean]), np.array([std]))
    return float(expected_improvement(*arrays, front=front, reference=REFERENCE)[0])


@pytest.mark.parametrize("seed", range(5))
def test_the_closed_form_equals_a_monte_carlo_estimate(seed: int) -> None:
    rng = np.random.default_rng(seed)
    front = [(10 ** rng.uniform(4.5, 6.7), rng.uniform(0.05, 0.99)) for _ in range(6)]
    log_flops, mean, std = rng.uniform(4.5, 6.5), rng.normal(1, 0.5), rng.uniform(0.2, 1)
    before = hypervolume([f for f, _ in front], [a for _, a in front], REFERENCE)
    gains = [
        hypervolume([*(f for f, _ in front), 10**log_flops], [*(a for _, a in front), a], REFERENCE)
        - before
        for a in ndtr(rng.normal(mean, std, 20_000))
    ]
    error = np.std(gains) / math.sqrt(len(gains))
    expected = improvement(log_flops, mean, std, front)
    assert expected == pytest.approx(np.mean(gains), abs=5 * error + 1e-9)


@given(POINTS, st.floats(4.6, 6.5), st.floats(0.11, 0.99))
def test_a_certain_accuracy_adds_what_the_hypervolume_says(
    front: list, log_flops: float, accuracy: float
) -> None:
    from scipy.special import ndtri

    flops, accuracies = [f for f, _ in front], [a for _, a in front]
    added = hypervolume([*flops, 10**log_flops], [*accuracies, accuracy], REFERENCE)
    added -= hypervolume(flops, accuracies, REFERENCE)
    assert improvement(log_flops, float(ndtri(accuracy)), 1e-6, front) == pytest.approx(
        added, abs=1e-5
    )


@given(st.lists(st.tuples(st.floats(4e4, 3.9e6), st.floats(0.11, 0.999)), min_size=1, max_size=12))
def test_the_hypervolume_is_optunas(points: list) -> None:
    losses = np.array([[-a, math.log10(f)] for f, a in points])
    corner = np.array([-REFERENCE.accuracy, math.log10(REFERENCE.cost)])
    ours = hypervolume([f for f, _ in points], [a for _, a in points], REFERENCE)
    assert ours == pytest.approx(compute_hypervolume(losses, corner), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("correlation", [0.05, 0.5, 0.95])
@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (-1.2, 0.7), (0.3, -2.0), (0.0, 1.0), (2, 3)])
def test_owens_formula_is_the_bivariate_normal(x: float, y: float, correlation: float) -> None:
    covariance = [[1, correlation], [correlation, 1]]
    expected = multivariate_normal([0, 0], covariance).cdf([x, y])
    found = _both_below(np.array(x), np.array(y), np.array(correlation))
    assert float(found) == pytest.approx(expected, abs=1e-6)


def test_nothing_is_expected_beyond_the_reference() -> None:
    assert improvement(7.0, 3.0, 0.5, []) == 0.0


def test_more_uncertainty_is_worth_more_behind_the_front() -> None:
    thresholds = np.array(0.95)
    narrow, wide = (expected_excess(np.array(1.0), np.array(std), thresholds) for std in (0.1, 0.8))
    assert 0 <= narrow < wide
