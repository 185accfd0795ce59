"""Early stopping with two objectives: which trials go on at a rung.

The FLOPs of a trial are known before it starts, so all there is to decide is whether its accuracy
at a rung, after so many epochs, is too far behind that of trials that cost no more. How far is too
far is measured: accuracies at a rung foretell final ones only so well, and trials that are behind
by less than that are not behind at all. Pure functions of what is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist, stdev

_PROBIT = NormalDist().inv_cdf
_EXTREME = 1e-3

MIN_FINISHED = 6
"""Trials whose whole curves are known before any is stopped."""

_SPREADS = 2.0
"""So many standard deviations of what chance does to a difference are allowed for."""

_BANDS_PER_DECADE = 2
_SURVIVORS = 2
"""The first so many trials of every band of FLOPs go on, however bad."""


@dataclass(frozen=True)
class Peer:
    """A configuration at a rung."""

    flops: int
    accuracy: float
    """Validated there, the mean of its seeds."""
    goes_on: bool = True
    """Whether it was, or would be, trained on."""


@dataclass(frozen=True)
class Objection:
    """Why a trial should not go on."""

    ahead: Peer
    """The best of those that cost no more."""
    allowed: float
    """How far behind it, in accuracy, would have been put down to chance."""

    def in_words(self, peer: Peer, epoch: int, epochs: int) -> str:
        """A sentence for whoever asks why a trial was stopped."""
        return (
            f"stopped after epoch {epoch} of {epochs}: {100 * peer.accuracy:.1f} % where a trial "
            f"of no more FLOPs had {100 * self.ahead.accuracy:.1f} %; chance explains "
            f"{100 * self.allowed:.1f} points"
        )


Rule = Callable[[Peer, Sequence[Peer], float | None], Objection | None]
"""What speaks against training a configuration on, as `objection` says it."""


def objection(peer: Peer, others: Sequence[Peer], spread: float | None) -> Objection | None:
    """What speaks against training a configuration on; None if nothing does.

    Args:
        peer: the configuration.
        others: those that have come to the rung before.
        spread: see `spread_of`; None while too little is known.
    """
    if spread is None:
        return None
    band = [other for other in others if _band(other.flops) == _band(peer.flops)]
    if sum(other.goes_on for other in band) < _SURVIVORS:
        return None
    if all(peer.accuracy >= other.accuracy for other in band):
        return None
    cheaper = [other for other in others if other.flops <= peer.flops]
    ahead = max(cheaper, key=lambda other: (other.accuracy, -other.flops), default=None)
    if ahead is None or ahead.accuracy <= peer.accuracy:
        return None
    needed = probit(ahead.accuracy) - _SPREADS * math.sqrt(2) * spread
    if probit(peer.accuracy) >= needed:
        return None
    return Objection(ahead, ahead.accuracy - NormalDist().cdf(needed))


def gain_after(curve: Sequence[float], epoch: int) -> float:
    """What a trial gains after an epoch, from 1, to its last one: a difference of probits.

    Args:
        curve: accuracies by epoch.
        epoch: after which.
    """
    return probit(curve[-1]) - probit(curve[epoch - 1])


def spread_of(gains: Sequence[float]) -> float | None:
    """How differently trials go on after an epoch: the standard deviation of what they gain.

    The same in whatever order they came. None before enough trials have been trained to the end.

    Args:
        gains: as `gain_after` has them, of trials that were.
    """
    if len(gains) < MIN_FINISHED:
        return None
    return stdev(gains)


def probit(accuracy: float) -> float:
    """Φ⁻¹ of an accuracy in [0, 1]: differences in it mean the same near 50 % and near 99 %."""
    return _PROBIT(min(max(accuracy, _EXTREME), 1 - _EXTREME))


def _band(flops: int) -> int:
    return math.floor(_BANDS_PER_DECADE * math.log10(flops))
