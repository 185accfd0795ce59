"""Where a search looks before it has a model: spread over log FLOPs, or up where that is needed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from search.schedule.candidate_space import Candidates, Indices
from search.schedule.known_trials import KnownTrials


def start(pool: Candidates, known: KnownTrials, learnt: float, rng: np.random.Generator) -> Indices:
    """Of several candidates of about the FLOPs wanted next the one farthest from what was tried.

    Wanted is the next of the sequence 1/2, 1/4, 3/4, 1/8, ... of the range of log FLOPs; where
    cheap networks have learnt nothing, what lies above these, farthest from all tried.

    Args:
        pool: to choose from.
        known: the trials so far.
        learnt: the accuracy from which on a network has learnt something.
        rng: of the choice.
    """
    useless = _useless_up_to(known, learnt)
    if useless is not None and useless < pool.log_flops.max():
        pool = pool.where(pool.log_flops > useless)
        goal = _farthest(known.members.log_flops, useless, float(pool.log_flops.max()))
    else:
        low, high = float(pool.log_flops.min()), float(pool.log_flops.max())
        goal = low + (high - low) * _van_der_corput(len(known) + 1)
    nearest = np.argsort(np.abs(pool.log_flops - goal), kind="stable")[: max(1, len(pool) // 10)]
    some = rng.choice(nearest, size=min(16, len(nearest)), replace=False)
    if not len(known):
        return np.asarray(pool.indices[some[0]])
    apart = pool.features[some][:, None, :] - known.members.features
    farthest = int((apart**2).sum(axis=2).min(axis=1).argmax())
    return np.asarray(pool.indices[some[farthest]])


def is_too_early(known: KnownTrials, learnt: float) -> bool:
    """Whether a model would know nothing that tells where to look.

    So it is before a trial is complete. With many workers the cheap trials end first: where these
    have learnt nothing, those that run and are dearer will tell more than a model of guesses.

    Args:
        known: the trials so far.
        learnt: the accuracy from which on a network has learnt something.
    """
    if (known.accuracies[known.is_complete] >= learnt).any():
        return False
    log_flops = known.members.log_flops
    dearest = log_flops[known.is_complete].max(initial=-np.inf)
    return not known.is_complete.any() or bool((log_flops[known.is_running] > dearest).any())


def _farthest(tried: npt.NDArray[np.float64], start: float, end: float) -> float:
    """Of the numbers from the start to the end, that farthest from those tried and the start."""
    taken = np.sort([start, *tried[tried > start]])
    gaps = np.diff(taken)
    if not len(gaps) or end - taken[-1] >= gaps.max() / 2:
        return end
    widest = int(gaps.argmax())
    return float(taken[widest] + gaps[widest] / 2)


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
