"""What accuracy a cost buys on the whole, so that networks can be compared at equal cost."""

from __future__ import annotations

import numpy as np
from numpy.polynomial import Polynomial

from runs.points import Floats

DEGREE = 3
"""Of the polynomial: accuracy over two or three decades of cost rises and levels off. A spline
whose smoothness is chosen from the data follows the noise of two dozen trials."""


def cost_trend(costs: Floats, accuracy: Floats) -> Polynomial:
    """Accuracy as a cubic in the decades (log10) of the cost, by least squares.

    Of fewer different costs than a cubic has coefficients it is the polynomial that these allow.
    """
    x = np.log10(costs)
    return Polynomial.fit(x, accuracy, min(DEGREE, len(np.unique(x)) - 1))


def at_equal_cost(costs: Floats, accuracy: Floats) -> Floats:
    """How much more accurate each network is than those of its cost are on the whole.

    (n,) costs and accuracies in [0, 1] to (n,) differences from `cost_trend`; their mean is 0.
    """
    return accuracy - cost_trend(costs, accuracy)(np.log10(costs))
