"""What accuracy an architecture would reach, learnt from those that were trained.

A Gaussian process on the probit of the accuracy, Φ⁻¹(a). Its hyperparameters maximise the
posterior under broad priors: with ten trials and seven length scales the likelihood alone finds
patterns in noise.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from copy import copy

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

Floats = npt.NDArray[np.float64]

_MOST_TO_TUNE = 100
"""Trials the hyperparameters are learnt from: their cost grows with the cube."""


class AccuracyModel:
    """Probit of the accuracy over features in [0, 1].

    Args:
        features: of trained architectures, a row each.
        values: the probits of their accuracies.
        variances: of the values, beyond the noise that all have in common.
    """

    def __init__(self, features: Floats, values: Floats, variances: Floats) -> None:
        self._center = float(values.mean())
        self._scale = float(values.std()) or 1.0
        scaled = (values - self._center) / self._scale
        extra = variances / self._scale**2
        some = _spread(len(values), _MOST_TO_TUNE)
        num_features = features.shape[1]
        prior = ConstantKernel(1.0, (1e-2, 1e2)) * Matern(np.ones(num_features), (0.05, 20), nu=2.5)
        tuned = GaussianProcessRegressor(
            prior + WhiteKernel(0.1, (1e-3, 1.0)),
            alpha=1e-8 + extra[some],
            optimizer=_most_probable(num_features),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a length scale at its bound
            tuned.fit(features[some], scaled[some])
        self._signal, noise = tuned.kernel_.k1, tuned.kernel_.k2.noise_level
        self.noise_variance = noise * self._scale**2
        """Of one training, in probits squared."""
        self._data = features, scaled, noise + extra
        self._process = self._fitted()

    def condition_on(self, features: Floats, values: Floats) -> AccuracyModel:
        """The same model if architectures had these values as well, with the usual noise."""
        known, scaled, noise = self._data
        more = (values - self._center) / self._scale
        other = copy(self)
        other._data = (
            np.concatenate([known, features]),
            np.concatenate([scaled, more]),
            np.concatenate([noise, np.full(len(more), self.noise_variance / self._scale**2)]),
        )
        other._process = other._fitted()
        return other

    def _fitted(self) -> GaussianProcessRegressor:
        features, scaled, noise = self._data
        process = GaussianProcessRegressor(self._signal, alpha=noise, optimizer=None)
        return process.fit(features, scaled)

    def predict(self, features: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the probit without noise."""
        mean, std = self._process.predict(features, return_std=True)
        return self._center + self._scale * mean, self._scale * np.maximum(std, 1e-6)


def _most_probable(num_features: int) -> Callable[..., tuple[Floats, float]]:
    """An optimiser for scikit-learn: the likelihood times log-normal priors.

    Of the signal's variance, the length scales (about the extent of the space) and the noise.
    """
    centers = np.log([1.0, *np.full(num_features, 1.0), 0.05])
    widths = np.array([1.0, *np.full(num_features, 1.0), 1.0])

    def optimizer(
        objective: Callable[..., tuple[float, Floats]], start: Floats, bounds: Floats
    ) -> tuple[Floats, float]:
        def posterior(theta: Floats) -> tuple[float, Floats]:
            value, gradient = objective(theta)
            away = (theta - centers) / widths
            return value + 0.5 * float(away @ away), gradient + away / widths

        found = minimize(
            posterior, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": 50}
        )
        return found.x, found.fun

    return optimizer


def _spread(count: int, most: int) -> npt.NDArray[np.int64]:
    """Indices of at most so many, evenly spread, the newest among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))
