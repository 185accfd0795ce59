"""How many seeds would decide: against a closed form, and against confirmations that are drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from runs.confirmation.draws import draw
from runs.confirmation.estimate import Estimate
from runs.confirmation.membership import ON, Membership, memberships, support
from runs.confirmation.seeds_to_decide import seeds_to_decide, with_seeds

VARIANCE = 1e-4
COST = np.array([1.0, 2.0])


def pair(difference: float, num_seeds: int = 3, images: float = 0.0) -> Estimate:
    """Two configurations, the dearer one better by so much; `images` is the variance of the image
    part of their difference."""
    return Estimate(
        accuracy=np.array([0.7, 0.7 + difference]),
        num_seeds=np.full(2, num_seeds),
        seed_variance=np.full(2, VARIANCE),
        degrees_of_freedom=np.full(2, np.inf),
        image_covariance=np.diag([images / 2, images / 2]),
    )


@pytest.mark.parametrize("difference", [0.003, 0.005, -0.004])
def test_of_two_configurations_it_is_the_number_of_a_z_test(difference: float) -> None:
    expected = 2 * VARIANCE * (norm.ppf(ON) / difference) ** 2
    found = seeds_to_decide(pair(difference), COST, [1], num_draws=40_000)
    assert found[1] == pytest.approx(np.ceil(expected), rel=0.06, abs=1)


def test_what_the_images_cannot_tell_no_number_of_seeds_decides() -> None:
    difference = 0.005
    enough = (difference / norm.ppf(ON)) ** 2
    assert seeds_to_decide(pair(difference, images=1.1 * enough), COST, [1]) == {1: None}
    assert seeds_to_decide(pair(difference, images=0.5 * enough), COST, [1])[1] is not None


def test_more_seeds_tell_the_variance_better_too() -> None:
    few = replace(pair(0.005), degrees_of_freedom=np.array([4.0, 6.0]), num_seeds=np.array([3, 5]))
    more = with_seeds(few, 4)
    assert list(more.num_seeds) == [4, 5]
    assert list(more.degrees_of_freedom) == [5.0, 6.0]


def decided_share(truth: Estimate, cost: np.ndarray, num_seeds: int, index: int) -> float:
    """Of confirmations with so many seeds, drawn from the truth, the share that decides it."""
    rng, now = np.random.default_rng(5), with_seeds(truth, num_seeds)
    decided = 0
    for _ in range(150):
        seen = rng.normal(truth.accuracy, np.sqrt(truth.seed_variance / num_seeds))
        shares = support(draw(replace(now, accuracy=seen), rng, 1_000), cost)
        decided += memberships(shares)[index] is not Membership.UNDECIDED
    return decided / 150


def test_confirmations_of_that_size_decide_about_half_the_time_and_larger_ones_mostly() -> None:
    truth = Estimate(
        accuracy=np.array([0.700, 0.704, 0.72, 0.719]),
        num_seeds=np.full(4, 3),
        seed_variance=np.array([1e-4, 1e-4, 5e-5, 5e-5]),
        degrees_of_freedom=np.full(4, np.inf),
        image_covariance=np.zeros((4, 4)),
    )
    cost = np.array([1.0, 2.0, 3.0, 4.0])
    found = seeds_to_decide(truth, cost, [1])
    number = found[1]
    assert number is not None
    assert decided_share(truth, cost, number, 1) == pytest.approx(0.5, abs=0.12)
    assert decided_share(truth, cost, max(3, number // 4), 1) < 0.35
    assert decided_share(truth, cost, 4 * number, 1) > 0.85
