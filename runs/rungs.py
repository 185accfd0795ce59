"""Rungs: the epochs after which a study compares its trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


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
