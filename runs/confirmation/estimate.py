"""The accuracies of several configurations, each with its seed part and its image part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from runs.confirmation.image_results import Floats, ImageResults, Ints
from runs.confirmation.seed_variance import fit


class Reading(Enum):
    """For which images an accuracy speaks."""

    ANOTHER_SET = "another test set of this kind"
    """Images are drawn at random too."""
    THIS_SET = "on this test set"
    """The images are these, only seeds are drawn."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Accuracies of m configurations and what they may be off by.

    The seed parts of two configurations are independent, the image parts are not: the images are
    the same.
    """

    accuracy: Floats
    """(m,) mean over seeds and images, in [0, 1]."""
    num_seeds: Ints
    """(m,) trainings of each configuration."""
    seed_variance: Floats
    """(m,) of one training."""
    degrees_of_freedom: Floats
    """(m,) with which the seed variance is known; infinite where it is given."""
    image_covariance: Floats
    """(m, m) of the accuracies; zeros where only these images count."""

    @property
    def mean_variance(self) -> Floats:
        """(m,) the seed part: variance of the mean over a configuration's seeds."""
        return self.seed_variance / self.num_seeds

    def only(self, chosen: Sequence[int] | Ints) -> Estimate:
        """The same of some configurations, in the order given."""
        index = np.asarray(chosen, dtype=np.int64)
        return Estimate(
            accuracy=self.accuracy[index],
            num_seeds=self.num_seeds[index],
            seed_variance=self.seed_variance[index],
            degrees_of_freedom=self.degrees_of_freedom[index],
            image_covariance=self.image_covariance[np.ix_(index, index)],
        )


def estimate(results: ImageResults, reading: Reading = Reading.ANOTHER_SET) -> Estimate:
    """The accuracies behind results, their seed variances fitted over all of them."""
    seeds = fit(results)
    covariance = results.image_covariance()
    return Estimate(
        accuracy=results.accuracy,
        num_seeds=results.num_seeds,
        seed_variance=seeds.variance,
        degrees_of_freedom=seeds.degrees_of_freedom,
        image_covariance=covariance if reading is Reading.ANOTHER_SET else 0 * covariance,
    )
