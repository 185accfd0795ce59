"""What accuracy a training that was stopped would have reached."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import numpy as np

from search.schedule.probit import probit


class Forecast:
    """From where a training was stopped, by what those trained to the end gained after that.

    Args:
        curves: accuracies by epoch of trainings to the end.
    """

    def __init__(self, curves: Sequence[Sequence[float]]) -> None:
        self._curves = [probit(np.array(curve)) for curve in curves]
        self._after: dict[int, tuple[float, float]] = {}

    def __call__(self, curve: Sequence[float]) -> tuple[float, float]:
        """Mean and variance of the probit of the final accuracy, given a curve that was cut."""
        epoch = len(curve)
        if epoch not in self._after:
            self._after[epoch] = self._gained_after(epoch)
        gain, variance = self._after[epoch]
        return float(probit(np.array(curve[-1]))) + gain, variance

    def _gained_after(self, epoch: int) -> tuple[float, float]:
        gains = [float(c[-1] - c[epoch - 1]) for c in self._curves if len(c) > epoch]
        if len(gains) < 2:
            return 0.0, 1.0
        return fmean(gains), float(np.var(gains, ddof=1))
