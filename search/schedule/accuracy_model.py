"""What accuracy an architecture would reach, learnt from trainings and from parts of trainings.

A Gaussian process on the probit of the accuracy, Φ⁻¹(a). An observation is made when a share r of
what a training gains is still to come (r = 0 at its end):

    y = f(x) - r (b + g(x)) + luck of the training + jitter, if r > 0.

f and g are Matérn-5/2 processes that share length scales, b is what trainings gain on average, and
the luck is the same at every epoch of a training. So is a multi-fidelity process with a truncated
linear kernel (Wu et al., Practical Multi-fidelity Bayesian Optimization for Hyperparameter Tuning,
UAI 2020). Trainings are stopped for what the model sees of them: that their ends are missing does
not bias it, as it would bias the average of those that went on.
"""

from __future__ import annotations

from copy import copy

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_solve, solve_triangular

from search.schedule.kernel_fit import most_probable

Floats = npt.NDArray[np.float64]

_MOST_TO_TUNE = 100
"""Observations the hyperparameters are learnt from: their cost grows with the cube."""


class AccuracyModel:
    """Probit of the accuracy over features in [0, 1].

    Args:
        features: of trained architectures, a row an observation, of any number of columns.
        values: the probits of their accuracies.
        to_come: of each observation the share of what is gained that was still to come, 0 of
            trainings to the end. None: all were.
        trainings: of each observation a number that those of one training have in common. None:
            each is one of its own.
    """

    def __init__(
        self,
        features: Floats,
        values: Floats,
        to_come: Floats | None = None,
        trainings: npt.NDArray[np.int64] | None = None,
    ) -> None:
        count = len(values)
        rest = np.zeros(count) if to_come is None else to_come
        own = np.arange(count) if trainings is None else trainings
        ends = values[rest == 0] if (rest == 0).any() else values
        self._center = float(ends.mean())
        self._scale = float(ends.std()) or 1.0
        scaled = (values - self._center) / self._scale
        some = _spread(own, _MOST_TO_TUNE)
        self._covariance = most_probable(features[some], scaled[some], rest[some], own[some])
        self._data = features, scaled, rest, own
        self._factorise()

    @property
    def noise_variance(self) -> float:
        """Of one training, in probits squared."""
        return self._covariance.luck * self._scale**2

    def condition_on(self, features: Floats, values: Floats) -> AccuracyModel:
        """The same model if architectures had these values as well, with the usual noise."""
        known, scaled, rest, own = self._data
        more = (values - self._center) / self._scale
        other = copy(self)
        other._data = (
            np.concatenate([known, features]),
            np.concatenate([scaled, more]),
            np.concatenate([rest, np.zeros(len(more))]),
            np.concatenate([own, own.max() + 1 + np.arange(len(more))]),
        )
        other._factorise()
        return other

    def _factorise(self) -> None:
        features, scaled, rest, own = self._data
        self._factor = np.linalg.cholesky(self._covariance.of(features, rest, own))
        self._weights = cho_solve((self._factor, True), scaled)

    def predict(self, features: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the probit at the end of training, without noise."""
        between = self._covariance.signal_between(features, self._data[0])
        explained = solve_triangular(self._factor, between.T, lower=True, check_finite=False)
        variance = self._covariance.signal - np.einsum("ij,ij->j", explained, explained)
        mean = self._center + self._scale * (between @ self._weights)
        return mean, self._scale * np.sqrt(np.maximum(variance, 1e-12))


def _spread(trainings: npt.NDArray[np.int64], most: int) -> npt.NDArray[np.bool_]:
    """About so many observations: all of some trainings, evenly spread, the newest among them."""
    numbers, counts = np.unique(trainings, return_counts=True)
    few = max(2, int(len(numbers) * min(1.0, most / counts.sum())))
    chosen = np.unique(np.linspace(0, len(numbers) - 1, few).round().astype(np.int64))
    return np.isin(trainings, numbers[chosen])
