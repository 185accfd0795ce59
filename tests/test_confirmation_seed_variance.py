"""The variance between seeds, where the true one is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize

from runs.confirmation.image_results import Floats, image_results
from runs.confirmation.seed_variance import SeedVariance, fit, fit_variances
from runs.confirmation.seed_variance import _log_likelihood as log_likelihood


def sampled(
    num_seeds: int, slope: float, scatter: float, rng: np.random.Generator, count: int = 40
) -> tuple[Floats, Floats, SeedVariance]:
    """True and sample variances of configurations from 60 to 98 %, and what is made of them."""
    p = np.linspace(0.6, 0.98, count)
    true = 0.01 * (p * (1 - p)) ** slope * np.exp(scatter * rng.standard_normal(count))
    own = true * rng.chisquare(num_seeds - 1, count) / (num_seeds - 1)
    return true, own, fit_variances(own, np.full(count, num_seeds), p)


def test_the_likelihood_is_that_of_a_scaled_f_distribution() -> None:
    own, freedom = np.array([1e-4, 3e-4, 2e-5]), np.array([2.0, 4.0, 7.0])
    v = np.array([2e-4, 1e-4, 3e-5])
    expected = stats.f.logpdf(own, freedom, 6.0, scale=v).sum()
    found, by_log_v, by_log_prior = log_likelihood(own, freedom, v, 6.0)
    assert found == pytest.approx(expected)
    step = 1e-6
    more = log_likelihood(own, freedom, v, 6.0 * np.exp(step))[0]
    assert (more - found) / step == pytest.approx(by_log_prior, rel=1e-4)
    for i in range(3):
        more = log_likelihood(own, freedom, v * np.exp(step * (np.arange(3) == i)), 6.0)[0]
        assert (more - found) / step == pytest.approx(by_log_v[i], rel=1e-4)


def test_the_fit_is_what_is_most_likely() -> None:
    """Found again without derivatives, from the densities of SciPy."""
    rng, p, k = np.random.default_rng(8), np.linspace(0.6, 0.98, 12), np.arange(3, 15)
    by_images = 3e-4 * p * (1 - p)
    own = (by_images + 0.1 * (p * (1 - p)) ** 4) * rng.chisquare(k - 1) / (k - 1)
    x = np.log(p * (1 - p))
    x = x - np.average(x, weights=k - 1)

    def loss(parameters: Floats) -> float:
        a, b, log_d = parameters
        v = by_images + np.exp(a + b * x)
        likelihood = stats.f.logpdf(own, k - 1, np.exp(log_d), scale=v).sum()
        known = stats.norm.logpdf(b, 3, 1) + stats.norm.logpdf(log_d, np.log(5), 1)
        return -float(likelihood + known)

    best = minimize(loss, (-8, 3, 2), method="Nelder-Mead", options={"xatol": 1e-6}).x
    found = fit_variances(own, k, p, by_images)
    assert found.slope == pytest.approx(best[1], abs=1e-3)
    assert found.prior == pytest.approx(np.exp(best[2]), rel=1e-3)
    np.testing.assert_allclose(found.line, by_images + np.exp(best[0] + best[1] * x), rtol=1e-3)


@pytest.mark.parametrize("slope", [1.0, 2.0])
def test_many_seeds_tell_the_line(slope: float) -> None:
    true, _, found = sampled(200, slope, 0.0, np.random.default_rng(1))
    assert found.slope == pytest.approx(slope, abs=0.1)
    np.testing.assert_allclose(found.line, true, rtol=0.2)
    assert found.prior > 100  # the variances keep to the line


def test_what_does_not_keep_to_the_line_is_drawn_to_it_less() -> None:
    rng = np.random.default_rng(2)
    priors = [sampled(8, 1.5, scatter, rng)[2].prior for scatter in (0.0, 0.5, 1.5)]
    assert priors[0] > 2 * priors[1] > 4 * priors[2]


def test_a_moderated_variance_lies_between_its_own_and_the_line() -> None:
    _, own, found = sampled(4, 1.5, 0.5, np.random.default_rng(3))
    low, high = np.minimum(own, found.line), np.maximum(own, found.line)
    assert ((low < found.variance) & (found.variance < high)).all()
    worth = found.degrees_of_freedom - 3
    expected = (worth * found.line + 3 * own) / found.degrees_of_freedom
    np.testing.assert_allclose(found.variance, expected)


def test_the_line_is_worth_less_at_its_ends_and_never_more_than_it_keeps_to() -> None:
    _, _, found = sampled(4, 1.5, 0.5, np.random.default_rng(3))
    worth = found.degrees_of_freedom - 3
    middle = np.argmax(worth)
    assert 10 < middle < 38
    assert (np.diff(worth[:middle]) > 0).all()
    assert (np.diff(worth[middle:]) < 0).all()
    assert worth.max() < found.prior


def test_the_line_is_as_sure_as_it_would_be_over_other_samples() -> None:
    """The variance of log v over many samples is not above what its worth accounts for."""
    rng = np.random.default_rng(9)
    found = [sampled(8, 3.0, 0.4, rng)[2] for _ in range(200)]
    lines = np.log([f.line for f in found])
    claimed = np.mean([2 / (f.degrees_of_freedom - 7) - 2 / f.prior for f in found], axis=0)
    assert ((claimed / lines.var(axis=0) > 0.9) & (claimed / lines.var(axis=0) < 1.6)).all()


def test_moderated_variances_are_nearer_to_the_true_ones_than_sample_variances() -> None:
    rng = np.random.default_rng(4)
    errors = []
    for _ in range(20):
        true, own, found = sampled(3, 1.7, 0.4, rng)
        errors.append([np.std(np.log(own / true)), np.std(np.log(found.variance / true))])
    assert np.mean(errors, axis=0)[1] < 0.5 * np.mean(errors, axis=0)[0]


def test_intervals_hold_for_weak_and_good_configurations_alike() -> None:
    """A constant covers 85 % in the worst third and all in the best."""
    rng, hits, constant = np.random.default_rng(5), [], []
    for _ in range(150):
        true, own, found = sampled(3, 1.7, 0.3, rng)
        error = np.abs(np.sqrt(true / 3) * rng.standard_normal(len(true)))
        t = stats.t.ppf(0.975, found.degrees_of_freedom)
        hits.append(error <= t * np.sqrt(found.variance / 3))
        constant.append(error <= 1.96 * np.sqrt(own.mean() / 3))
    weak, middle, good = (100 * np.mean(part) for part in np.array_split(np.array(hits), 3, axis=1))
    for covered in (weak, middle, good):
        assert 92 <= covered <= 98
    weak, _, good = (100 * np.mean(part) for part in np.array_split(np.array(constant), 3, axis=1))
    assert weak < 92
    assert good > 99


def test_a_few_configurations_borrow_from_what_is_known_of_accuracies() -> None:
    """Of four with three seeds the line is steep before they say anything about it."""
    p = np.array([0.7, 0.8, 0.9, 0.95])
    found = fit_variances(np.full(4, 1e-4), np.full(4, 3), p)
    assert 0.5 < found.slope < 2.5
    assert (found.degrees_of_freedom < 6).all()  # of 4 x 2 that there are


def test_what_the_images_tell_is_not_fitted() -> None:
    """Good configurations scatter by single images alone; there a line would go far below."""
    rng, p = np.random.default_rng(7), np.linspace(0.6, 0.99, 40)
    by_images = 3e-4 * p * (1 - p)
    true = by_images + 0.1 * (p * (1 - p)) ** 4
    own = true * rng.chisquare(19, 40) / 19
    found = fit_variances(own, np.full(40, 20), p, by_images)
    assert found.slope == pytest.approx(4, abs=0.5)
    np.testing.assert_allclose(found.line, true, rtol=0.3)
    without = fit_variances(own, np.full(40, 20), p)
    assert (without.line < 0.8 * true).sum() > 5


def test_two_configurations_have_their_own_variances() -> None:
    own = np.array([1e-4, 4e-4])
    found = fit_variances(own, np.array([3, 5]), np.array([0.8, 0.9]))
    np.testing.assert_array_equal(found.variance, own)
    np.testing.assert_array_equal(found.degrees_of_freedom, [2, 4])


def test_trainings_that_happen_to_get_as_many_right_still_scatter() -> None:
    """They disagree about single images, and the images tell by how much that lets them scatter."""
    rng, share = np.random.default_rng(6), np.array([0.8, 0.9, 0.95])
    right = [np.stack([rng.permutation(100) < 100 * p for _ in range(3)]) for p in share]
    found = np.sqrt(fit(image_results(right)).variance)
    binomial = np.sqrt(share * (1 - share) / 100)
    assert ((0.5 * binomial < found) & (found < binomial)).all()


def test_trainings_that_agree_about_every_image_scatter_by_less_than_one() -> None:
    right = [np.repeat([np.arange(100) < good], 3, axis=0) for good in (80, 90, 95)]
    found = np.sqrt(fit(image_results(right)).variance)
    assert ((found > 0) & (found < 0.01)).all()
