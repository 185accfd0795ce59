"""Early stopping with two objectives: which trials continue after a rung.

The cost of a trial is known before it starts, so the only question is whether its accuracy at a
rung, after so many epochs, is too far behind that of trials that cost no more. How far is too far
is measured: an accuracy at a rung predicts the final one with an error, and a trial that is behind
by less than that error is not behind. Pure functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import stdev

from scipy.special import ndtr

from search.schedule.probit import probit

MIN_FINISHED = 6
"""Trials whose whole curves are known before any is stopped."""

_SPREADS = 2.0
"""How many standard deviations of a difference are put down to chance."""

_BANDS_PER_DECADE = 2
_SURVIVORS = 2
"""So many trials of every band of cost, the first, continue whatever their accuracy."""


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


def spread_of(gains: Sequence[float]) -> float | None:
    """The standard deviation of what trials gain after an epoch.

    It does not depend on their order. None before enough trials have been trained to the end.

    Args:
        gains: as `gain_after` has them, of trials that were.
    """
    if len(gains) < MIN_FINISHED:
        return None
    return stdev(gains)


def _band(cost: float) -> int:
    return math.floor(_BANDS_PER_DECADE * math.log10(cost))
