"""How far a search had come after every trial, and what it had spent by then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from table import FLOORS, Floor

Measure = Literal["trials", "seconds", "training_flops"]
"""What a study spends."""

MEASURES: tuple[Measure, ...] = ("trials", "seconds", "training_flops")


@dataclass(frozen=True)
class Point:
    """Where a replayed study stands after a trial ended."""

    trials: int
    training_flops: float
    """Spent so far, whatever it led to."""
    seconds: float
    """By the recorded clock, and what the proposals so far took."""
    above_median: float
    """Hypervolume above the table's median accuracy of the complete trials by what they are worth,
    as a share of the whole table's."""
    above_guessing: float
    """The same above the accuracy of guessing."""

    def share(self, floor: Floor) -> float:
        """Of the table's hypervolume above that accuracy."""
        return {"median": self.above_median, "guessing": self.above_guessing}[floor]


@dataclass
class Course:
    """The points of one study, in the order its trials ended."""

    points: list[Point] = field(default_factory=list)

    def spent_to(
        self, share: float, measure: Measure = "training_flops", floor: Floor = "median"
    ) -> float:
        """Spent until the hypervolume was that share of the table's; infinite if it never was."""
        reached = (getattr(p, measure) for p in self.points if p.share(floor) >= share)
        return float(next(reached, np.inf))

    def spent_at_least(
        self, share: float, measure: Measure = "training_flops", floor: Floor = "median"
    ) -> float:
        """The same; if it never was, what had been spent when the study ended."""
        return min(self.spent_to(share, measure, floor), float(getattr(self.points[-1], measure)))

    def share_after(self, trials: int, floor: Floor = "median") -> float:
        """Of the table's hypervolume, once so many trials have ended."""
        return max((p.share(floor) for p in self.points if p.trials <= trials), default=0.0)

    def thinned(self) -> Course:
        """Only where something was found, and the end: it says the same."""
        kept: list[Point] = []
        for point in self.points:
            if not kept or any(point.share(f) > kept[-1].share(f) for f in FLOORS):
                kept.append(point)
        if self.points and kept[-1] is not self.points[-1]:
            kept.append(self.points[-1])
        return Course(kept)

    def as_rows(self) -> list[dict[str, float]]:
        """For JSON; a share to six digits."""
        return [
            {k: round(v, 6) if k.startswith("above") else v for k, v in asdict(point).items()}
            for point in self.points
        ]

    @classmethod
    def from_rows(cls, rows: Sequence[Mapping[str, Any]]) -> Course:
        """What `as_rows` gave."""
        return cls([Point(**row) for row in rows])
