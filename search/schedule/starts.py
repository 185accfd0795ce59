"""Where a search looks before it has a model: spread over log FLOPs, or up where that is needed."""

from __future__ import annotations

import numpy as np

from search.schedule.candidate_space import Candidates, Indices
from search.schedule.known_trials import KnownTrials


def start(pool: Candidates, known: KnownTrials, learnt: float, rng: np.random.Generator) -> Indices:
    """Of several candidates of about the FLOPs wanted next the one farthest from what was tried.

    Args:
        pool: to choose from.
        known: the trials so far.
        learnt: the accuracy from which on a network has learnt something.
        rng: of the choice.
    """
    goal = _log_flops_of_the_next(pool, known, learnt)
    nearest = np.argsort(np.abs(pool.log_flops - goal), kind="stable")[: max(1, len(pool) // 10)]
    some = rng.choice(nearest, size=min(16, len(nearest)), replace=False)
    if not len(known):
        return np.asarray(pool.indices[some[0]])
    apart = pool.features[some][:, None, :] - known.members.features
    farthest = int((apart**2).sum(axis=2).min(axis=1).argmax())
    return np.asarray(pool.indices[some[farthest]])


def _log_flops_of_the_next(pool: Candidates, known: KnownTrials, learnt: float) -> float:
    """The sequence 1/2, 1/4, 3/4, 1/8, ... of the range.

    Where cheap networks have learnt nothing, the same of what lies above these, its end first.
    """
    low, high = float(pool.log_flops.min()), float(pool.log_flops.max())
    useless = _useless_up_to(known, learnt)
    if useless is None or useless >= high:
        return low + (high - low) * _van_der_corput(len(known) + 1)
    above = int((known.members.log_flops > useless).sum())
    return useless + (high - useless) * (_van_der_corput(above) if above else 1.0)


def _useless_up_to(known: KnownTrials, learnt: float) -> float | None:
    """log10 FLOPs of the dearest complete trial that has learnt nothing while no cheaper one has;
    None if the cheapest has."""
    log_flops = known.members.log_flops[known.is_complete]
    has_learnt = known.accuracies[known.is_complete] >= learnt
    first = log_flops[has_learnt].min() if has_learnt.any() else np.inf
    useless = log_flops[~has_learnt & (log_flops < first)]
    return float(useless.max()) if len(useless) else None


def _van_der_corput(index: int) -> float:
    """The index-th point, from 1, of the sequence 1/2, 1/4, 3/4, 1/8, ..."""
    return sum(int(bit) * 0.5 ** (i + 1) for i, bit in enumerate(reversed(f"{index:b}")))
