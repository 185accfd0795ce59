"""Early stopping with two objectives: which trials continue after a rung.

The cost of a trial is known before it starts, so the only question is whether its accuracy at a
rung, after so many epochs, is too far behind that of trials that cost no more. How far is too far
is measured: an accuracy at a rung predicts the final one with an error, and a trial that is behind
by less than that error is not behind. Where a rung does not even rank trials of about the same cost
as their ends do, none is behind. Pure functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from search.schedule.probit import probit

MIN_FINISHED = 6
"""Trials whose whole curves are known before any is stopped."""

_SPREADS = 2.0
"""How many standard deviations of a difference are put down to chance."""

_BANDS_PER_DECADE = 2
_SURVIVORS = 2
"""So many trials of every band of cost, the first, continue whatever their accuracy."""


MIN_RANK_CORRELATION = 0.3
"""A rung at which accuracies rank the final ones less well stops no trial."""

_NEIGHBOURS = 8
_MIN_PAIRS = 10


@dataclass(frozen=True)
class Peer:
    """A configuration at a rung."""

    cost: float
    """What the study minimises."""
    accuracy: float
    """On the validation split at the rung, the mean of its seeds."""
    goes_on: bool = True
    """Whether the rule lets it continue."""


@dataclass(frozen=True)
class TooFarBehind:
    """Why a trial should stop."""

    ahead: Peer
    """The most accurate of those that cost no more."""
    allowed: float
    """The difference to it, in accuracy, that chance would explain."""

    def in_words(self, peer: Peer, epoch: int, epochs: int, unit: str = "FLOPs") -> str:
        """The reason as a trial's record has it, given the cost's unit."""
        return (
            f"stopped after epoch {epoch} of {epochs}: {100 * peer.accuracy:.1f} % where a trial "
            f"of no more {unit} had {100 * self.ahead.accuracy:.1f} %; chance explains "
            f"{100 * self.allowed:.1f} points"
        )


StoppingRule = Callable[[Peer, Sequence[Peer], float | None], TooFarBehind | None]
"""Decides whether a configuration should stop, as `stopping_decision` does."""


def stopping_decision(
    peer: Peer, others: Sequence[Peer], spread: float | None
) -> TooFarBehind | None:
    """Why a configuration should stop at a rung; None if it should continue.

    Args:
        peer: the configuration.
        others: those that reached the rung before.
        spread: see `spread_of`; None while too little is known.
    """
    if spread is None:
        return None
    band = [other for other in others if _band(other.cost) == _band(peer.cost)]
    if sum(other.goes_on for other in band) < _SURVIVORS:
        return None
    if all(peer.accuracy >= other.accuracy for other in band):
        return None
    cheaper = [other for other in others if other.cost <= peer.cost]
    ahead = max(cheaper, key=lambda other: (other.accuracy, -other.cost), default=None)
    if ahead is None or ahead.accuracy <= peer.accuracy:
        return None
    needed = probit(ahead.accuracy) - _SPREADS * math.sqrt(2) * spread
    if probit(peer.accuracy) >= needed:
        return None
    return TooFarBehind(ahead, ahead.accuracy - float(ndtr(needed)))


def gain_after(curve: Sequence[float], epoch: int) -> float:
    """What a trial gains after an epoch, from 1, to its last one: a difference of probits.

    Args:
        curve: accuracies by epoch.
        epoch: after which.
    """
    return float(probit(curve[-1]) - probit(curve[epoch - 1]))


def spread_of(gains: Sequence[float], weights: Sequence[float] | None = None) -> float | None:
    """The standard deviation of what trials gain after an epoch.

    It does not depend on their order. None before enough trials have been trained to the end.

    Args:
        gains: as `gain_after` has them, of trials that were.
        weights: how many trials each stands for; None for itself alone.
    """
    if len(gains) < MIN_FINISHED:
        return None
    gain = np.asarray(gains, dtype=np.float64)
    weight = np.ones(len(gain)) if weights is None else np.asarray(weights, dtype=np.float64)
    order = np.lexsort((weight, gain))  # sums in floating point depend on it
    gain, weight = gain[order], weight[order]
    total = weight.sum()
    squares = weight @ (gain - weight @ gain / total) ** 2
    return math.sqrt(squares / (total - weight @ weight / total))


def rank_correlation(
    costs: Sequence[float],
    early: Sequence[float],
    final: Sequence[float],
    weights: Sequence[float] | None = None,
) -> float | None:
    """How well accuracies at a rung rank the final ones of trials of about the same cost.

    Goodman & Kruskal's gamma (J. Am. Stat. Assoc. 49, 1954) over pairs of trials that are near in
    cost, each with its next eight within half a decade: 1 where all are in the same order, 0 where
    the rung says nothing. Pairs that tie have no order. None where there are too few pairs.

    Args:
        costs: of trials that were trained to the end.
        early: their accuracies at the rung.
        final: after the last epoch.
        weights: how many trials each stands for; None for itself alone.
    """
    order = np.lexsort((final, early, costs))
    place, start, end = (np.asarray(v)[order] for v in (np.log10(costs), early, final))
    weight = np.ones(len(order)) if weights is None else np.asarray(weights)[order]
    agreed = compared = 0.0
    pairs = 0
    for apart in range(1, min(_NEIGHBOURS, len(order) - 1) + 1):
        signs = np.sign(_differences(start, apart)) * np.sign(_differences(end, apart))
        signs *= _differences(place, apart) <= 1 / _BANDS_PER_DECADE
        pair = weight[apart:] * weight[:-apart]
        agreed += float(pair @ signs)
        compared += float(pair @ np.abs(signs))
        pairs += int(np.count_nonzero(signs))
    return agreed / compared if pairs >= _MIN_PAIRS else None


def _differences(values: npt.NDArray[np.float64], apart: int) -> npt.NDArray[np.float64]:
    return values[apart:] - values[:-apart]


def _band(cost: float) -> int:
    return math.floor(_BANDS_PER_DECADE * math.log10(cost))
