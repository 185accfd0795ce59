"""Rungs: the epochs after which a study compares its trials."""

from __future__ import annotations


def rung_epochs(eta: int, count: int | None, epochs: int) -> tuple[int, ...]:
    """At 1/eta, 1/eta², ... of so many epochs, ascending; none before the first epoch.

    Args:
        eta: at least 2.
        count: how many at most; None for two.
        epochs: of a whole training.
    """
    rungs = (epochs // eta**k for k in range(2 if count is None else count, 0, -1))
    return tuple(rung for rung in rungs if rung)
