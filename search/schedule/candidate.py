"""A configuration with its cost: worked out once, and passed on with it."""

from __future__ import annotations

from dataclasses import dataclass, field

from runs.record import TrialRecord
from space.config import Config
from space.cost import cost
from space.costs import FLOPS, Cost

_COUNTS = ("flops", "macs", "params")
"""Fields of a trial's record."""


@dataclass(frozen=True)
class Candidate:
    """A configuration that a study may train."""

    config: Config
    params: int
    macs: int
    cost: float
    """What the study minimises."""
    costs: dict[str, float] = field(default_factory=dict)
    """That by its name, where a trial's record has no field of its own for it."""

    @classmethod
    def of(cls, config: Config, objective: Cost = FLOPS) -> Candidate:
        """With the cost worked out."""
        found = cost(config)
        if objective.name in _COUNTS:
            return cls(config, found.params, found.macs, getattr(found, objective.name))
        value = objective(config)
        return cls(config, found.params, found.macs, value, {objective.name: float(value)})

    @classmethod
    def recorded(cls, trial: TrialRecord, objective: Cost = FLOPS) -> Candidate:
        """With the cost that a trial's record has."""
        value = trial.cost(objective)
        assert value is not None, "a study minimises what is known of every configuration"
        return cls(trial.config, trial.params, trial.macs, value, trial.costs)

    @property
    def flops(self) -> int:
        """2 x MACs, one image, forward."""
        return 2 * self.macs
