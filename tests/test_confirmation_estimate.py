"""What an estimate takes over from the results, by reading."""

from __future__ import annotations

import numpy as np

from runs.confirmation.estimate import Reading, estimate
from runs.confirmation.image_results import image_results
from runs.confirmation.seed_variance import fit

RNG = np.random.default_rng(0)
RESULTS = image_results([RNG.random((k, 50)) < p for k, p in ((3, 0.6), (4, 0.7), (5, 0.9))])


def test_another_test_set_has_other_images_and_this_one_has_not() -> None:
    another, this = estimate(RESULTS), estimate(RESULTS, Reading.THIS_SET)
    np.testing.assert_array_equal(another.image_covariance, RESULTS.image_covariance())
    assert not this.image_covariance.any()
    for found in (another, this):
        np.testing.assert_array_equal(found.accuracy, RESULTS.accuracy)
        np.testing.assert_array_equal(found.seed_variance, fit(RESULTS).variance)
        np.testing.assert_allclose(found.mean_variance, found.seed_variance / [3, 4, 5])


def test_some_of_an_estimate_keep_what_they_share() -> None:
    found = estimate(RESULTS)
    few = found.only([2, 0])
    np.testing.assert_array_equal(few.accuracy, found.accuracy[[2, 0]])
    np.testing.assert_array_equal(few.num_seeds, [5, 3])
    assert few.image_covariance[0, 1] == found.image_covariance[2, 0]
    assert few.image_covariance[0, 0] == found.image_covariance[2, 2]
