"""Expected hypervolume improvement of a candidate whose cost is known, in closed form.

Only the accuracy of a candidate is uncertain, so what it would add to the hypervolume is a sum of
one-dimensional expected improvements: over every stretch of log10 cost at or above its own, the
width of the stretch times what its accuracy is expected to exceed the front's there.

The accuracy is Φ(z), z normal: between 0 and 1, as an accuracy is. With m and s² the mean and
variance of z and t a threshold, n = (m - Φ⁻¹(t)) / s,

    E[max(0, Φ(z) - t)] = B(m / √(1 + s²), n; s / √(1 + s²)) - t Φ(n),

where B is the distribution function of two standard normal variables of that correlation: the
event Φ(z) > t is z > Φ⁻¹(t), and Φ(z) is the chance that another standard normal lies below z.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri, owens_t

from runs import pareto

Floats = npt.NDArray[np.float64]

_ALMOST_ZERO = 1e-12


def expected_improvement(
    log_cost: Floats,
    mean: Floats,
    std: Floats,
    *,
    front: Sequence[tuple[float, float]],
    reference: pareto.Reference,
) -> Floats:
    """What each candidate is expected to add to the hypervolume, in accuracy x decades of the cost.

    Args:
        log_cost: log10 of the candidates' costs; beyond the reference they add nothing.
        mean: of the probit of their accuracies.
        std: of the same; positive.
        front: cost and accuracy of trials; those that are dominated change nothing.
        reference: where the hypervolume is measured to.
    """
    starts, levels = _steps(front, reference)
    ends = np.append(starts[1:], np.log10(reference.cost))
    widths = np.maximum(0.0, ends - np.maximum(starts, log_cost[:, None]))  # candidate, step
    gains = expected_excess(mean[:, None], std[:, None], levels)
    return np.asarray((widths * gains).sum(axis=1))


def expected_excess(mean: Floats, std: Floats, threshold: Floats) -> Floats:
    """E[max(0, Φ(z) - threshold)] of z normal; the arguments broadcast."""
    with np.errstate(invalid="ignore"):
        above = (mean - ndtri(np.clip(threshold, 0.0, 1.0))) / std
    scale = np.sqrt(1 + std**2)
    both = _both_below(mean / scale, above, std / scale)
    return np.asarray(np.maximum(0.0, both - threshold * ndtr(above)))


def _steps(
    front: Sequence[tuple[float, float]], reference: pareto.Reference
) -> tuple[Floats, Floats]:
    """log10 cost from which on the front has an accuracy, and that accuracy; first the guess."""
    inside = [(c, a) for c, a in front if c < reference.cost and a > reference.accuracy]
    kept = pareto.front([c for c, _ in inside], [a for _, a in inside])
    starts = np.array([-np.inf, *(np.log10(inside[i][0]) for i in kept)])
    levels = np.array([reference.accuracy, *(inside[i][1] for i in kept)])
    return starts, levels


def _both_below(x: Floats, y: Floats, correlation: Floats) -> Floats:
    """P(X < x, Y < y) of two standard normal variables (Owen 1956)."""
    x = np.where(np.abs(x) < _ALMOST_ZERO, _ALMOST_ZERO, x)
    y = np.where(np.abs(y) < _ALMOST_ZERO, _ALMOST_ZERO, y)
    x, y, correlation = np.broadcast_arrays(x, np.clip(y, -40.0, 40.0), correlation)
    root = np.sqrt(1 - correlation**2)
    either = owens_t(x, (y - correlation * x) / (x * root))
    other = owens_t(y, (x - correlation * y) / (y * root))
    return np.asarray((ndtr(x) + ndtr(y)) / 2 - either - other - np.where(x * y > 0, 0.0, 0.5))
