"""Joint draws of the accuracies of several configurations: what they could be instead.

    draw = accuracy + sqrt(seed part) x Student's t + g,   g ~ N(0, image covariance) jointly.

Student's t and not the normal distribution, since the seed part is itself estimated.
"""

from __future__ import annotations

import numpy as np

from runs.confirmation.estimate import Estimate
from runs.confirmation.image_results import Floats

NUM_DRAWS = 4000


def draw(estimate: Estimate, rng: np.random.Generator, num_draws: int = NUM_DRAWS) -> Floats:
    """(draws, m) accuracies; not kept inside [0, 1], where they would pile up."""
    return estimate.accuracy + noise(estimate, rng, num_draws)


def noise(estimate: Estimate, rng: np.random.Generator, num_draws: int) -> Floats:
    """(draws, m) what the draws differ from the estimate by."""
    shape = (num_draws, len(estimate.accuracy))
    freedom = np.minimum(estimate.degrees_of_freedom, 1e6)
    seeds = np.sqrt(estimate.mean_variance) * rng.standard_t(freedom, shape)
    images = rng.standard_normal(shape) @ square_root(estimate.image_covariance).T
    return np.asarray(seeds + images)


def square_root(covariance: Floats) -> Floats:
    """R (m, m) with R R^T the nearest positive semidefinite matrix of the same trace.

    Setting negative eigenvalues to zero would add to the variance of every difference; so as much
    is taken from the other eigenvalues, the same from each that stays positive.
    """
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(_onto_simplex(values)))


def _onto_simplex(values: Floats) -> Floats:
    """The nearest numbers that are not negative and have the same sum (0 where that is below)."""
    total = max(0.0, float(values.sum()))
    falling = np.sort(values)[::-1]
    shift = (np.cumsum(falling) - total) / np.arange(1, len(falling) + 1)
    kept = np.flatnonzero(falling > shift)
    return np.maximum(0.0, values - shift[kept[-1]]) if len(kept) else np.zeros_like(values)
