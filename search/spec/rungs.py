"""Rungs: the epochs at which trials of a study are compared."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from runs.rungs import SPARED, rung_epochs
from space.config import Frozen


class RungSpec(Frozen):
    """Where trials are compared, and how many are trained on to see whether that was right."""

    eta: Annotated[int, Field(ge=2)] = 3
    """Rungs lie at 1/eta, 1/eta^2, ... of the epochs."""
    count: Annotated[int, Field(ge=0, le=10)] | None = None
    """How many; None for two, or as many as there are epochs for; 0 for no early stopping."""
    spared: Annotated[float, Field(ge=0, le=1)] | None = None
    """Share of the trials to be stopped that are exempt, besides the first of them: trained to the
    end, to measure what stopping costs; 0 for none at all. None: as the study began, a new one
    0.15."""
    exempt: Literal["weighted", "unweighted"] | None = None
    """`weighted`: the first to be stopped are exempt too, an exempt trial counts for all that it
    stands for in what decides, and a rung that ranks trials badly stops none. `unweighted`: none of
    that, as in studies from before this field. None: as the study began, a new one weighted."""

    def epochs(self, total: int) -> tuple[int, ...]:
        """The epochs after which trials of so many epochs are compared, ascending.

        Raises:
            ValueError: there are too few epochs for the rungs asked for.
        """
        rungs = rung_epochs(self.eta, self.count, total)
        if self.count is not None and len(rungs) < self.count:
            raise ValueError(
                f"count={self.count} with eta={self.eta} needs at least {self.eta**self.count} "
                f"epochs, not {total}; lower the count, 0 (or --no-rungs) being none"
            )
        return rungs

    def settled(self, began: RungSpec | None = None) -> RungSpec:
        """With what was left open, as the study began; None for a new one."""
        exempt = self.exempt or (began.exempt if began else None) or "weighted"
        spared = self.spared if began is None or self.spared is not None else began.spared
        return self.model_copy(
            update={"exempt": exempt, "spared": SPARED[exempt] if spared is None else spared}
        )


NO_RUNGS = RungSpec(count=0)
"""No early stopping."""
