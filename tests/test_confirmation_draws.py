"""Joint draws, against the distributions they come from."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from runs.confirmation.draws import draw, square_root
from runs.confirmation.estimate import Estimate
from runs.confirmation.image_results import Floats

IMAGES = np.array([[4.0, 3.0, 0.0], [3.0, 4.0, 0.0], [0.0, 0.0, 1.0]]) * 1e-4


def some(freedom: float, image_covariance: Floats = IMAGES) -> Estimate:
    return Estimate(
        accuracy=np.array([0.7, 0.8, 0.9]),
        num_seeds=np.array([3, 4, 5]),
        seed_variance=np.array([3e-4, 4e-4, 10e-4]),
        degrees_of_freedom=np.full(3, freedom),
        image_covariance=image_covariance,
    )


def test_draws_have_the_covariance_of_both_parts() -> None:
    found = draw(some(np.inf), np.random.default_rng(0), 200_000)
    np.testing.assert_allclose(found.mean(axis=0), [0.7, 0.8, 0.9], atol=2e-4)
    expected = IMAGES + np.diag([1e-4, 1e-4, 2e-4])
    np.testing.assert_allclose(np.cov(found, rowvar=False), expected, atol=6e-6)


def test_the_seed_part_has_the_tails_of_student() -> None:
    found = draw(some(4, 0 * IMAGES), np.random.default_rng(0), 20_000)[:, 2]
    assert stats.kstest((found - 0.9) / np.sqrt(2e-4), stats.t(4).cdf).pvalue > 0.01
    assert stats.kstest((found - 0.9) / np.sqrt(2e-4), stats.norm.cdf).pvalue < 1e-6


def test_the_same_seed_gives_the_same_draws() -> None:
    one, other = (draw(some(5), np.random.default_rng(7), 10) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_a_covariance_that_is_one_stays_as_it_is() -> None:
    root = square_root(IMAGES)
    np.testing.assert_allclose(root @ root.T, IMAGES, atol=1e-15)
    assert not square_root(np.zeros((3, 3))).any()


@pytest.mark.parametrize("seed", range(5))
def test_another_becomes_the_nearest_of_the_same_trace(seed: int) -> None:
    rng = np.random.default_rng(seed)
    half = rng.standard_normal((4, 4))
    given = half + half.T + 2 * np.eye(4)
    root = square_root(given)
    nearest = root @ root.T
    assert np.linalg.eigvalsh(given).min() < 0
    assert np.linalg.eigvalsh(nearest).min() > -1e-12
    assert np.trace(nearest) == pytest.approx(max(0.0, np.trace(given)))
    distance = np.linalg.norm(nearest - given)
    for _ in range(300):  # none of the others like it is nearer, near it or anywhere
        step = rng.standard_normal((4, 4)) * rng.choice([0.01, 0.1, 1.0])
        other = (root + step) @ (root + step).T
        other *= np.trace(nearest) / np.trace(other)
        assert np.linalg.norm(other - given) >= distance - 1e-12


def test_a_covariance_without_any_variance_left_is_none() -> None:
    assert not square_root(-np.eye(3)).any()
