"""Intervals, against SciPy's where there is one and against the table of many seeds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from confirmation_table import rates
from scipy import stats

from runs.confirmation.estimate import Estimate, Reading
from runs.confirmation.image_results import Floats
from runs.confirmation.intervals import (
    accuracy_intervals,
    difference_interval,
    optimism_intervals,
)

FIRST = np.array([0.70, 0.74, 0.69])
SECOND = np.array([0.81, 0.80, 0.82, 0.79, 0.83])


def seeds_only(*samples: Floats) -> Estimate:
    """Each configuration's variance its own, the images those there are."""
    return Estimate(
        accuracy=np.array([s.mean() for s in samples]),
        num_seeds=np.array([len(s) for s in samples]),
        seed_variance=np.array([s.var(ddof=1) for s in samples]),
        degrees_of_freedom=np.array([len(s) - 1.0 for s in samples]),
        image_covariance=np.zeros((len(samples), len(samples))),
    )


def test_a_difference_between_seeds_is_welchs() -> None:
    found = difference_interval(seeds_only(FIRST, SECOND), 0, 1)
    test = stats.ttest_ind(FIRST, SECOND, equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx((test.low, test.high))
    assert found.value == pytest.approx(FIRST.mean() - SECOND.mean())
    assert found.excludes_zero


def test_images_alone_give_the_normal_interval_and_what_they_share_cancels() -> None:
    exact = replace(
        seeds_only(FIRST, SECOND),
        seed_variance=np.zeros(2),
        image_covariance=np.array([[4e-4, 3e-4], [3e-4, 4e-4]]),
    )
    found = difference_interval(exact, 1, 0)
    assert found.high - found.value == pytest.approx(1.959964 * np.sqrt(2e-4))
    alone = accuracy_intervals(exact)[1]
    assert alone.high - alone.low == pytest.approx(2 * 1.959964 * 0.02, rel=0.01)


def test_the_interval_of_an_accuracy_is_that_of_its_log_odds() -> None:
    """Near 1 it reaches further down than up, and ends before 1."""
    near = np.array([0.990, 0.999, 0.996])
    [found] = accuracy_intervals(seeds_only(near))
    p, half = near.mean(), stats.t.ppf(0.975, 2) * near.std(ddof=1) / np.sqrt(3)
    odds = np.log(p / (1 - p)) + np.array([-1, 1]) * half / (p * (1 - p))
    assert (found.low, found.high) == pytest.approx(tuple(1 / (1 + np.exp(-odds))))
    assert found.value - found.low > found.high - found.value
    assert found.high < 1
    [all_right] = accuracy_intervals(seeds_only(np.array([1.0, 1.0, 1.0])))
    assert all_right.low <= all_right.value == all_right.high == 1


def test_another_level_gives_another_width() -> None:
    wide = difference_interval(seeds_only(FIRST, SECOND), 0, 1)
    narrow = difference_interval(seeds_only(FIRST, SECOND), 0, 1, level=0.5)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_optimism_is_beyond_what_one_training_scatters_only_where_it_is() -> None:
    """The interval is that of one training against the mean of the others."""
    fresh = seeds_only(FIRST, SECOND)
    lucky, usual = optimism_intervals(np.array([0.95, 0.82]), fresh)
    assert lucky.value == pytest.approx(0.95 - FIRST.mean())
    half = stats.t.ppf(0.975, 2) * FIRST.std(ddof=1) * np.sqrt(1 + 1 / 3)
    assert lucky.high - lucky.value == pytest.approx(half)
    assert lucky.excludes_zero
    assert not usual.excludes_zero


@pytest.mark.parametrize("reading", Reading)
@pytest.mark.parametrize("num_seeds", [3, 5])
def test_intervals_cover_in_each_third_of_accuracies(num_seeds: int, reading: Reading) -> None:
    found = rates.coverage(num_seeds, reading, repeats=120)
    assert all(91 <= covered <= 99 for covered in found.accuracies + found.differences), found


@pytest.mark.slow
@pytest.mark.parametrize("reading", Reading)
@pytest.mark.parametrize("num_seeds", [3, 5])
def test_coverage_is_92_to_98_percent_over_400_draws(num_seeds: int, reading: Reading) -> None:
    found = rates.coverage(num_seeds, reading, repeats=400)
    assert all(92 <= covered <= 98 for covered in found.accuracies + found.differences), found
