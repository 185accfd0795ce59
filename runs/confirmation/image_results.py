"""Which images the trainings of several configurations got right, summed up once.

A training is one seed of one configuration. The model behind every figure here is the analysis of
variance with seeds and images crossed, both drawn at random: image e of seed s is right with

    c_se = theta + seed_s + image_e + (seed x image)_se.

The variance of the last term is estimated without bias, so that what one image differs from another
is not mistaken for what one training differs from another. This is the setting of several readers
who read the same cases: Gallas, Bandos, Samuelson & Wagner, "A framework for random-effects ROC
analysis: biases with the bootstrap and other variance estimators", Commun. Stat. 38(15), 2009.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from runs.confirmation.errors import ConfirmationError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class ImageResults:
    """What m configurations got right on the same n images; `image_results` makes one."""

    num_seeds: Ints
    """(m,) trainings of each configuration, at least two."""
    accuracy: Floats
    """(m,) mean over seeds and images, in [0, 1]."""
    seed_variance: Floats
    """(m,) of the accuracies of the trainings, on these images, with ddof 1."""
    share_right: Floats
    """(m, n) share of the seeds that got each image right."""
    interaction_variance: Floats
    """(m,) of the term seed x image, without bias, for one training and one image."""

    @property
    def num_images(self) -> int:
        """n."""
        return int(self.share_right.shape[1])

    def image_covariance(self) -> Floats:
        """(m, m) covariance of the accuracies that comes of having these n images and not others.

        Cov_e of the shares, less on the diagonal what the seeds contribute to it, over n. Without
        bias, and for that reason not always positive semidefinite.
        """
        centred = self.share_right - self.accuracy[:, None]
        covariance = centred @ centred.T / (self.num_images - 1)
        covariance -= np.diag(self.interaction_variance / self.num_seeds)
        return np.asarray(covariance / self.num_images)


def image_results(right: Sequence[Bools]) -> ImageResults:
    """Sums up which images were right.

    Args:
        right: for each configuration an array (seeds, images) of booleans; the images are the same
            for all and in the same order, the number of seeds may differ.

    Raises:
        ConfirmationError: fewer than two seeds, fewer than two images, or other images for one
            configuration than for another.
    """
    num_images = {bits.shape[1] for bits in right}
    if len(num_images) != 1 or min(num_images) < 2:
        raise ConfirmationError(
            f"configurations were judged on {sorted(num_images)} images: "
            "compare those judged on the same images, at least two"
        )
    fewest = min(len(bits) for bits in right)
    if fewest < 2:
        raise ConfirmationError(
            f"a configuration has {fewest} trainings with fresh seeds: "
            "the scatter between seeds needs at least two"
        )
    [n] = num_images
    num_seeds = np.array([len(bits) for bits in right])
    by_seed = [bits.mean(axis=1) for bits in right]  # seeds
    seed_variance = np.array([accuracies.var(ddof=1) for accuracies in by_seed])
    share_right = np.stack([bits.mean(axis=0) for bits in right])  # configurations, images
    at_an_image = share_right * (1 - share_right) * (num_seeds / (num_seeds - 1))[:, None]
    within = at_an_image.mean(axis=1)  # variance between seeds at an image, ddof 1
    return ImageResults(
        num_seeds=num_seeds,
        accuracy=share_right.mean(axis=1),
        seed_variance=seed_variance,
        share_right=share_right,
        interaction_variance=np.maximum(0.0, within - seed_variance) * n / (n - 1),
    )


def unpacked(packed: bytes, num_images: int) -> Bools:
    """Bits as `numpy.packbits` wrote them, (images,), in the order of the split."""
    bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=num_images)
    return bits.astype(np.bool_)
