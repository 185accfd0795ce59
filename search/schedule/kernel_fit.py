"""The covariance of observed accuracies, and its most probable hyperparameters.

They maximise the marginal likelihood times broad log-normal priors: with ten trainings and seven
length scales the likelihood alone finds patterns in noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_solve
from scipy.optimize import minimize

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

_MEAN_GAIN = 4.0
"""Variance of what trainings gain on average, in variances of their ends: hardly a prior."""

_TYPICAL = (1.0, 0.3, 0.05, 0.02)
"""Medians of the priors of the variances; a factor e from one is one standard deviation away."""

_LEAST, _MOST = (1e-2, 1e-3, 1e-3, 1e-4), (1e2, 1e1, 1.0, 1.0)

_LENGTH = 2.0
"""The same of the length scales, in extents of the space. A longer one expects the best networks in
the corners of the space, and looks there first."""

_ALMOST_ZERO = 1e-8


@dataclass(frozen=True)
class Covariance:
    """Variances in units of that of the ends, length scales in extents of the space.

    The observations and their terms are those of `search.schedule.accuracy_model`.
    """

    signal: float
    """Of f."""
    gain: float
    """Of g."""
    luck: float
    """Of a training."""
    jitter: float
    """Of an epoch before the last."""
    lengths: Floats

    @classmethod
    def from_log(cls, theta: Floats) -> Covariance:
        """From the logarithms of all five, the length scales last."""
        signal, gain, luck, jitter, *lengths = np.exp(theta)
        return cls(signal, gain, luck, jitter, np.array(lengths))

    def of(self, features: Floats, to_come: Floats, trainings: Numbers) -> Floats:
        """Of observations with each other, noise included."""
        both = np.outer(to_come, to_come)
        found = (self.signal + self.gain * both) * matern(self._distances(features, features))
        found += _MEAN_GAIN * both
        found += self.luck * (trainings[:, None] == trainings)
        found[np.diag_indices_from(found)] += self.jitter * (to_come > 0) + _ALMOST_ZERO
        return found

    def signal_between(self, features: Floats, others: Floats) -> Floats:
        """Of f at some places and observations at others."""
        return self.signal * matern(self._distances(features, others))

    def _distances(self, features: Floats, others: Floats) -> Floats:
        """√5 times the distances in length scales."""
        a, b = features / self.lengths, others / self.lengths
        squares = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
        return np.asarray(np.sqrt(5 * np.maximum(squares, 0.0)))


def matern(distances: Floats) -> Floats:
    """Correlation with smoothness 5/2 over √5 times the distances in length scales."""
    found = np.exp(-distances)
    found *= 1 + distances * (1 + distances / 3)
    return np.asarray(found)


def most_probable(
    features: Floats, values: Floats, to_come: Floats, trainings: Numbers
) -> Covariance:
    """The hyperparameters with the highest posterior density, given observations."""
    count, columns = features.shape
    centers, low, high = (
        np.log([*variances, *np.full(columns, length)])
        for variances, length in ((_TYPICAL, _LENGTH), (_LEAST, 0.05), (_MOST, 20.0))
    )
    both = np.outer(to_come, to_come)
    same = (trainings[:, None] == trainings).astype(np.float64)
    is_part = np.diag((to_come > 0).astype(np.float64))
    fixed = _MEAN_GAIN * both + _ALMOST_ZERO * np.eye(count)
    squares = (features[:, None, :] - features) ** 2  # observation, observation, column

    def loss(theta: Floats) -> tuple[float, Floats]:
        """Minus the log posterior, and its gradient."""
        covariance = Covariance.from_log(theta)
        distances = np.sqrt(5 * (squares @ covariance.lengths**-2.0))
        decay = np.exp(-distances)
        correlation = decay * (1 + distances * (1 + distances / 3))
        amplitude = covariance.signal + covariance.gain * both
        total = amplitude * correlation + fixed
        total += covariance.luck * same + covariance.jitter * is_part
        factor = np.linalg.cholesky(total)
        inverse = cho_solve((factor, True), np.eye(count), check_finite=False)
        weights = inverse @ values
        slope = 0.5 * (inverse - np.outer(weights, weights))  # of the loss by the covariance
        away = theta - centers
        value = 0.5 * values @ weights + np.log(np.diag(factor)).sum() + 0.5 * away @ away
        by_square = slope * amplitude * decay * (1 + distances) * (5 / 3)
        by_length = np.einsum("ij,ijk->k", by_square, squares) * covariance.lengths**-2.0
        gradient = [
            covariance.signal * (slope * correlation).sum(),
            covariance.gain * (slope * both * correlation).sum(),
            covariance.luck * (slope * same).sum(),
            covariance.jitter * (slope * is_part).sum(),
            *by_length,
        ]
        return float(value), np.array(gradient) + away

    bounds = list(zip(low, high, strict=True))
    found = minimize(
        loss, centers, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": 50}
    )
    assert math.isfinite(found.fun), "the covariance is positive definite within its bounds"
    return Covariance.from_log(found.x)
