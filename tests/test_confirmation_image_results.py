"""Sums over seeds and images, against loops and against every sample there is."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from runs.confirmation.errors import ConfirmationError
from runs.confirmation.image_results import image_results, unpacked

RNG = np.random.default_rng(0)
THREE = RNG.random((3, 20)) < 0.7
FIVE = RNG.random((5, 20)) < 0.6


def test_packed_bits_come_back_whatever_their_number() -> None:
    for count in (1, 8, 359):
        bits = RNG.random(count) < 0.5
        assert (unpacked(np.packbits(bits).tobytes(), count) == bits).all()


def test_the_figures_are_those_of_the_analysis_of_variance() -> None:
    """Mean squares of seeds and of seed x image, summed up one by one."""
    results = image_results([THREE, FIVE])
    assert results.num_images == 20
    for bits, accuracy, variance, interaction in zip(
        [THREE, FIVE],
        results.accuracy,
        results.seed_variance,
        results.interaction_variance,
        strict=True,
    ):
        k, n = bits.shape
        of_seed, of_image, mean = bits.mean(1), bits.mean(0), bits.mean()
        seeds = sum((a - mean) ** 2 for a in of_seed) / (k - 1)
        crossed = sum(
            (bits[s, e] - of_seed[s] - of_image[e] + mean) ** 2
            for s, e in product(range(k), range(n))
        )
        assert accuracy == pytest.approx(mean)
        assert variance == pytest.approx(seeds)
        assert interaction == pytest.approx(crossed / (k - 1) / (n - 1))


def test_seed_part_and_image_part_together_are_the_variance_without_bias() -> None:
    """Over all samples of two seeds of three and three images of four, for two configurations."""
    first, second = THREE[:, 3:7], FIVE[:2, 3:7]
    both, estimated = [], []
    for images in product(range(4), repeat=3):
        for one, other in product(product(range(3), repeat=2), product(range(2), repeat=2)):
            results = image_results([first[list(one)][:, images], second[list(other)][:, images]])
            both.append(results.accuracy)
            seed_part = np.diag(results.seed_variance / results.num_seeds)
            estimated.append(seed_part + results.image_covariance())
    true = np.cov(np.array(both), rowvar=False, ddof=0)
    assert abs(true[0, 1]) > 1e-3
    np.testing.assert_allclose(np.mean(estimated, axis=0), true, atol=1e-12)


def test_one_training_has_no_scatter() -> None:
    with pytest.raises(ConfirmationError, match=r"has 1 trainings .* at least two"):
        image_results([THREE, FIVE[:1]])


def test_configurations_judged_on_other_images_are_not_compared() -> None:
    with pytest.raises(ConfirmationError, match=r"judged on \[19, 20\] images: compare those"):
        image_results([THREE, FIVE[:, :19]])
    with pytest.raises(ConfirmationError, match="judged on"):
        image_results([])
