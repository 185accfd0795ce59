"""Rungs: the epochs after which a study compares its trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SPARED = {"weighted": 0.15, "unweighted": 0.05}
"""Share of the trials to be stopped that are exempt by lot, by how the exempt count, where a study
does not say."""

FIRST_EXEMPT = 4
"""So many trials of a family, the first that are to be stopped, are exempt without a lot: that a
rung is wrong must be seen before it has done harm."""

_FEWEST_BY_LOT = 3
"""Exempt trials that were drawn by lot before these alone stand for those that were stopped."""


def rung_epochs(eta: int, count: int | None, epochs: int) -> tuple[int, ...]:
    """At 1/eta, 1/eta², ... of so many epochs, ascending; none before the first epoch.

    Args:
        eta: at least 2.
        count: how many at most; None for two.
        epochs: of a whole training.
    """
    rungs = (epochs // eta**k for k in range(2 if count is None else count, 0, -1))
    return tuple(rung for rung in rungs if rung)


def rungs_of(spec: Mapping[str, Any], epochs: int) -> list[int]:
    """The epochs after which a study compares trials of so many epochs, ascending.

    Given its specification; studies from before early stopping have no rungs.
    """
    rungs = spec.get("rungs")
    return list(rung_epochs(rungs["eta"], rungs["count"], epochs)) if rungs else []


def first_exempt(spec: Mapping[str, Any]) -> int:
    """How many of the trials to be stopped are exempt without a lot, given a specification."""
    rungs = spec.get("rungs") or {}
    return FIRST_EXEMPT if rungs.get("exempt") == "weighted" and rungs.get("spared") != 0 else 0


def stands_for(
    num_exempt: int, num_stopped: int, first: int, fewest: int = _FEWEST_BY_LOT
) -> list[float]:
    """How many of the trials that were to be stopped each exempt one stands for, itself included.

    The inverse of its realised chance. The first ones were certain to be exempt and stand for
    themselves, those by lot for all others (Horvitz & Thompson, J. Am. Stat. Assoc. 47, 1952, with
    the share that the lot gave: its errors are smaller). While the lot has drawn too few, all share
    alike: the trials stopped later are then taken to be like the first.

    Args:
        num_exempt: trained to the end, in the order in which they were to be stopped.
        num_stopped: stopped in earnest.
        first: exempt without a lot.
        fewest: exempt by lot before these alone stand for the stopped.
    """
    if not num_exempt:
        return []
    by_lot = num_exempt - first
    if by_lot < fewest:
        return [1 + num_stopped / num_exempt] * num_exempt
    return [1.0] * first + [1 + num_stopped / by_lot] * by_lot
