"""A configuration with its cost: worked out once, and passed on with it."""

from __future__ import annotations

from dataclasses import dataclass

from runs.record import TrialRecord
from space.config import Config
from space.cost import cost


@dataclass(frozen=True)
class Candidate:
    """A configuration that a study may train."""

    config: Config
    params: int
    macs: int

    @classmethod
    def of(cls, config: Config) -> Candidate:
        """With the cost worked out."""
        found = cost(config)
        return cls(config, found.params, found.macs)

    @classmethod
    def recorded(cls, trial: TrialRecord) -> Candidate:
        """With the cost that a trial's record has."""
        return cls(trial.config, trial.params, trial.macs)

    @property
    def flops(self) -> int:
        """2 x MACs, one image, forward."""
        return 2 * self.macs
