"""The rule that gives out seeds: where it looks, and that it beats the same for all."""

from __future__ import annotations

import numpy as np
import pytest
from confirmation_table import rates

from runs.confirmation.estimate import Estimate
from runs.confirmation.next_seed import next_seed, worth

# A close pair (0, 1), a clear case above it, and one that is clearly dominated.
COST = np.array([1.0, 2.0, 3.0, 4.0])
CLEAR = Estimate(
    accuracy=np.array([0.700, 0.701, 0.9, 0.5]),
    num_seeds=np.full(4, 3),
    seed_variance=np.full(4, 1e-4),
    degrees_of_freedom=np.full(4, np.inf),
    image_covariance=np.zeros((4, 4)),
)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_seed_goes_to_the_undecided_and_to_the_record_it_has_to_beat() -> None:
    found = worth(CLEAR, COST, np.ones(4), rng())
    assert found[0] == pytest.approx(found[1], rel=0.01)  # the record counts for its challenger
    assert found[1] == pytest.approx(0.25 / 3, rel=0.1)
    assert found[2] == found[3] == 0


def test_the_cheaper_and_the_less_trained_goes_first() -> None:
    assert next_seed(CLEAR, COST, [1, 9, 1, 1], rng()) == 0
    assert next_seed(CLEAR, COST, [9, 1, 1, 1], rng()) == 1
    found = worth(CLEAR, COST, [4, 1, 1, 1], rng(), under_way=[0, 3, 0, 0])
    assert found[0] / found[1] == pytest.approx((6 / 3) * np.sqrt(1 / 4), rel=0.01)


def test_a_training_under_way_counts_as_done() -> None:
    """So several workers do not all take the same."""
    assert next_seed(CLEAR, COST, [1, 1.01, 1, 1], rng()) == 0
    assert next_seed(CLEAR, COST, [1, 1.01, 1, 1], rng(), under_way=[1, 0, 0, 0]) == 1


def test_what_the_budget_does_not_pay_for_is_not_proposed() -> None:
    assert next_seed(CLEAR, COST, [5, 9, 1, 1], rng(), budget=9) == 0
    assert next_seed(CLEAR, COST, [9, 5, 1, 1], rng(), budget=5) == 1
    assert next_seed(CLEAR, COST, [9, 5, 1, 1], rng(), budget=4.9) is None


def test_nothing_is_proposed_where_nothing_is_undecided() -> None:
    assert next_seed(CLEAR.only([0, 2]), COST[[0, 2]], [1, 1], rng()) is None


def test_of_equal_cost_either_may_lead() -> None:
    found = worth(CLEAR, [1, 1, 3, 4], np.ones(4), rng())
    assert found[0] > 0.1 * found[1] > 0


def test_adaptive_seeds_misclassify_less_than_uniform_ones() -> None:
    uniform, adaptive = rates.in_simulated_worlds(repeats=8, count=25)
    assert adaptive < uniform


@pytest.mark.slow
def test_adaptive_seeds_misclassify_a_tenth_less_over_60_worlds() -> None:
    uniform, adaptive = rates.in_simulated_worlds(repeats=60, count=41)
    assert adaptive < 0.9 * uniform


@pytest.mark.slow
def test_adaptive_seeds_misclassify_less_on_the_table() -> None:
    """Real trainings, the validation images given."""
    uniform, adaptive = rates.in_the_table(repeats=100)
    assert adaptive < uniform
