"""The variance between the seeds of each configuration, estimated from all of them together.

Three to eight trainings say little about their own scatter, and configurations do not share one:
weak ones scatter several times as much as good ones. Part of each variance is known well, since the
images tell it: w_i / n, where trainings disagree about single images by chance, with w the
variance of the term seed x image. The rest, by which a training is better or worse on all images
together, is fitted by one line in log p (1 - p), and each sample variance s^2 is drawn towards the
sum, as far as the variances keep to it:

    v_i = w_i / n + exp(a + b log p_i (1 - p_i)),   s_i^2 / v_i ~ F(k_i - 1, d),
    moderated_i = (d_i v_i + (k_i - 1) s_i^2) / (d_i + k_i - 1),   Student's t with d_i + k_i - 1.

d is how many seeds' worth the sum knows about one configuration; the more the variances scatter
about it, the smaller it is. The line itself is estimated, and least well at its ends: 2 / d_i =
2 / d + Var(log v_i), the variance of the log of a sample variance being about two over its degrees
of freedom. This is the model of Smyth, "Linear models and empirical Bayes methods
for assessing differential expression", Stat. Appl. Genet. Mol. Biol. 3(1), 2004, with a trend as
in its implementation, limma.

a, b and d are those most likely, given the variances and what is known before: b lies around 3, as
it does on the digits, and d around 5, since with few seeds the likelihood of d is flat up to
infinity, which would make intervals too short. Both give way to a few dozen configurations. A
constant is never assumed: it would be too narrow for weak configurations and too wide for good
ones, and with few configurations no test can tell it from a line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln, digamma

from runs.confirmation.image_results import Floats, ImageResults, Ints

_FEWEST = 3
"""Configurations from which on a line says more than each by itself."""
_SLOPE, _SLOPE_DEVIATION = 3.0, 1.0
"""What is known of b before: normal."""
_PRIOR, _PRIOR_DEVIATION = 5.0, 1.0
"""What is known of d before: its log is normal around that of the first."""


@dataclass(frozen=True, kw_only=True)
class SeedVariance:
    """The variance of one training's accuracy, of m configurations."""

    variance: Floats
    """(m,) moderated; of accuracies in [0, 1], so 1e-4 is a deviation of one point."""
    degrees_of_freedom: Floats
    """(m,) of Student's t that goes with it."""
    line: Floats
    """(m,) v; the configuration's own where there are too few for a line."""
    slope: float
    """b."""
    prior: float
    """d; 0 where there is no line."""


def fit(results: ImageResults) -> SeedVariance:
    """The seed variances behind results; see the module for the model."""
    n = results.num_images
    rounding = 1 / (12 * n**2)  # an accuracy is a whole number of images: keeps s^2 from being 0
    return fit_variances(
        results.seed_variance + rounding,
        results.num_seeds,
        results.accuracy,
        results.interaction_variance / n + rounding,
    )


def fit_variances(
    own: Floats, num_seeds: Ints, accuracy: Floats, by_images: Floats | float = 0.0
) -> SeedVariance:
    """The same from sample variances.

    Args:
        own: (m,) variances between seeds with ddof 1, positive.
        num_seeds: (m,) at least two each.
        accuracy: (m,) in [0, 1].
        by_images: (m,) what of each is the scatter of single images, known from the images.
    """
    freedom = num_seeds.astype(np.float64) - 1
    if len(own) < _FEWEST:
        return SeedVariance(
            variance=own, degrees_of_freedom=freedom, line=own, slope=0.0, prior=0.0
        )
    p = np.clip(accuracy, 1e-4, 1 - 1e-4)
    x = np.log(p * (1 - p))
    x = x - np.average(x, weights=freedom)
    intercept, slope, log_prior = _most_likely(own, freedom, x, by_images)
    prior = float(np.exp(log_prior))
    together = np.exp(intercept + slope * x)
    v = by_images + together
    worth = 1 / (1 / prior + _uncertainty(freedom, x, together / v, prior) / 2)
    return SeedVariance(
        variance=(worth * v + freedom * own) / (worth + freedom),
        degrees_of_freedom=worth + freedom,
        line=v,
        slope=float(slope),
        prior=prior,
    )


def _most_likely(own: Floats, freedom: Floats, x: Floats, by_images: Floats | float) -> Floats:
    """Intercept, slope and log d: the mode given the variances and what was known before."""
    middle = np.log(np.average(own, weights=freedom))
    deviations = np.array([_SLOPE_DEVIATION, _PRIOR_DEVIATION])

    def loss(parameters: Floats) -> tuple[float, Floats]:
        intercept, slope, log_prior = parameters
        together = np.exp(intercept + slope * x)
        v = by_images + together
        value, by_log_v, by_log_prior = _log_likelihood(own, freedom, v, np.exp(log_prior))
        by_line = by_log_v * together / v
        off = np.array([slope - _SLOPE, log_prior - np.log(_PRIOR)]) / deviations
        gradient = np.array([by_line.sum(), by_line @ x, by_log_prior])
        known = np.array([0.0, *(off / deviations)])
        return float(off @ off / 2 - value), known - gradient

    start = np.array([middle, _SLOPE, np.log(_PRIOR)])
    return np.asarray(minimize(loss, start, jac=True, method="BFGS").x)


def _uncertainty(freedom: Floats, x: Floats, share: Floats, prior: float) -> Floats:
    """(m,) variance of log v, a and b being estimated, by the information in the variances.

    `share` is what the line has of v.
    """
    design = share[:, None] * np.stack([np.ones_like(x), x], axis=1)  # d log v / d (a, b)
    weight = freedom * prior / (freedom + prior + 2) / 2  # information about log v of one variance
    information = design.T @ (weight[:, None] * design) + np.diag([1e-9, _SLOPE_DEVIATION**-2])
    covariance = np.linalg.inv(information)
    return np.asarray(((design @ covariance) * design).sum(axis=1))


def _log_likelihood(
    own: Floats, freedom: Floats, v: Floats, prior: float
) -> tuple[float, Floats, float]:
    """Of sample variances that are v times F(freedom, prior); its derivatives by each log v and by
    the log of the prior's degrees of freedom."""
    ratio = freedom * own / v / prior
    both = (freedom + prior) / 2
    terms = (
        freedom / 2 * np.log(freedom / prior)
        + (freedom / 2 - 1) * np.log(own / v)
        - both * np.log1p(ratio)
        - betaln(freedom / 2, prior / 2)
        - np.log(v)
    )
    by_log_v = both * ratio / (1 + ratio) - freedom / 2
    by_log_prior = by_log_v + prior / 2 * (digamma(both) - digamma(prior / 2) - np.log1p(ratio))
    return float(terms.sum()), by_log_v, float(by_log_prior.sum())
