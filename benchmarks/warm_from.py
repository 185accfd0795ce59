"""The trials of an earlier study of ours on another table, which a study is warm-started from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from find_table import find_table
from simulator import replay

from search.schedule.earlier_trials import EarlierTrials, earlier_trials
from search.spec.rungs import RungSpec
from space.costs import FLOPS

EARLIER_TRIALS = 60
"""Of the earlier study, stopped ones included."""


@cache
def trials_on(table: str, seed: int) -> Sequence[EarlierTrials]:
    """What a study of that seed leaves for others."""
    found = find_table(table)
    study = replay(
        found, seed=seed, sampler="cost_aware", rungs=RungSpec(), num_trials=EARLIER_TRIALS
    )
    return earlier_trials(study.trials, found.spec.families, FLOPS)
