"""What early stopping saved, and what it cost: sums over the trials of a study. Arithmetic only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runs.record import Origin, State, TrialRecord
from runs.seeds import by_configuration
from runs.winners import candidates, front
from space.costs import FLOPS, Cost


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """Of the search's own configurations."""

    stopped: int
    """So many were stopped at a rung."""
    spent_flops: float
    """Training FLOPs of all trials of the search that were timed."""
    saved_flops: float
    """Training FLOPs that the stopped ones would have taken on top."""
    exempt: int
    """So many were trained to the end although the rule would have stopped them."""
    exempt_on_front: int
    """So many of those are on the front: what the rule would have lost."""

    @property
    def saved_share(self) -> float:
        """Of the compute that the search would have taken without stopping."""
        whole = self.spent_flops + self.saved_flops
        return self.saved_flops / whole if whole else 0.0


def stopped(
    trials: Sequence[TrialRecord], min_accuracy: float = 0.0, cost: Cost = FLOPS
) -> Stopped:
    """The account of a study's early stopping, given all its trials, what is useless in it, and
    what it minimises."""
    searched = [t for t in trials if t.origin is Origin.SEARCH]
    groups = by_configuration(searched)
    on_front = {trial.config for trial in front(candidates(searched), min_accuracy, cost)}
    exempt = [
        config
        for (config, _), seeds in groups.items()
        if all(t.state is State.COMPLETE and t.rung is not None for t in seeds)
    ]
    pruned = [t for t in searched if t.state is State.PRUNED]
    return Stopped(
        stopped=len({t.config for t in pruned}),
        spent_flops=sum(t.training_flops or 0.0 for t in searched),
        saved_flops=sum(
            (t.training_flops or 0.0) * (t.epochs / t.rung - 1) for t in pruned if t.rung
        ),
        exempt=len(exempt),
        exempt_on_front=sum(config in on_front for config in exempt),
    )
