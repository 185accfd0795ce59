"""The probit of an accuracy: the scale on which accuracies are modelled and compared."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

Floats = npt.NDArray[np.float64]

_EXTREME = 1e-3
"""Accuracies are kept this far from 0 and 1, where the probit is infinite."""


def probit(accuracy: npt.ArrayLike) -> Floats:
    """Φ⁻¹ of accuracies in [0, 1]: differences mean the same near 50 % and near 99 %."""
    return np.asarray(ndtri(np.clip(accuracy, _EXTREME, 1 - _EXTREME)))
