"""Two families compared at every cost at once, and the sentence that says it.

Delta(F) = A_f(F) - A_g(F) on the same test images, with the configurations that fresh validation
chose. The band around it is simultaneous: it holds Delta at all costs together in 95 of 100
confirmations, from the quantile of max |t| over joint draws (Hothorn, Bretz & Westfall, Biom. J.
50, 2008). So it may be looked at anywhere, and a family is called better only where it leaves out
zero. It speaks for the configurations chosen; the choice is not drawn again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from runs.confirmation.draws import NUM_DRAWS, noise
from runs.confirmation.errors import ConfirmationError
from runs.confirmation.estimate import Estimate
from runs.confirmation.image_results import Bools, Floats, Ints
from runs.confirmation.intervals import Interval
from runs.confirmation.steps import Steps, choose

GRID_COSTS = 200


@dataclass(frozen=True, kw_only=True)
class FamilyDifference:
    """The first family's accuracy less the second's, at every cost from `starts[0]` to `ceiling`.

    All is constant from one start to the next, so nothing is lost between points of a grid.
    """

    families: tuple[str, str]
    starts: Floats
    """(s,) costs at which either family's choice changes, rising; the first is the lowest at which
    both have a member."""
    ceiling: float
    chosen: Ints
    """(s, 2) indices of the configurations compared."""
    num_seeds: Ints
    """(s, 2) their trainings."""
    value: Floats
    """(s,) Delta, in accuracy."""
    low: Floats
    """(s,) of the simultaneous band."""
    high: Floats
    hypervolume: Interval
    """The integral of Delta over log10 of the cost, from the first start to the ceiling: accuracy x
    decades. Its interval is one for one question."""

    @property
    def excludes_zero(self) -> bool:
        """Whether a family is better anywhere."""
        return bool((self.low > 0).any() or (self.high < 0).any())

    def step(self, cost: float) -> int:
        """The index of the step a cost lies on.

        Raises:
            ConfirmationError: there only one of the families has a member.
        """
        if not self.starts[0] <= cost <= self.ceiling:
            raise ConfirmationError(
                f"a cost of {cost:g} lies outside those at which both families have a member: "
                f"ask for one from {self.starts[0]:g} to {self.ceiling:g}"
            )
        return int(np.searchsorted(self.starts, cost, side="right")) - 1

    def at(self, cost: float) -> Interval:
        """Delta at a cost, with the simultaneous band."""
        i = self.step(cost)
        return Interval(
            value=float(self.value[i]), low=float(self.low[i]), high=float(self.high[i])
        )

    def grid(self, num_costs: int = GRID_COSTS) -> tuple[Floats, Floats, Floats, Floats]:
        """Log-spaced costs, Delta, low and high: for a picture."""
        costs = np.geomspace(self.starts[0], self.ceiling, num_costs)
        costs[-1] = self.ceiling
        i = np.maximum(np.searchsorted(self.starts, costs, side="right") - 1, 0)
        return costs, self.value[i], self.low[i], self.high[i]


def compare(
    test: Estimate,
    validation_accuracy: Floats,
    cost: npt.ArrayLike,
    family: Sequence[str],
    families: tuple[str, str],
    rng: np.random.Generator,
    *,
    ceiling: float | None = None,
    level: float = 0.95,
    num_draws: int = NUM_DRAWS,
) -> FamilyDifference:
    """Compares two families of which several configurations were confirmed.

    Args:
        test: the estimate from the test split, of m configurations.
        validation_accuracy: (m,) means over the same fresh seeds; it alone chooses.
        cost: (m,).
        family: (m,) names.
        families: the two, in the order of the difference.
        ceiling: the highest cost that both were searched to; by default the highest there is.

    Raises:
        ConfirmationError: a family without a member up to the ceiling.
    """
    names, costs = np.asarray(family), np.asarray(cost, dtype=np.float64)
    top = float(costs.max()) if ceiling is None else float(ceiling)
    one, other = (
        _steps_of(name, validation_accuracy, costs, (names == name) & (costs <= top))
        for name in families
    )
    starts = np.union1d(one.starts, other.starts)
    starts = starts[starts >= max(one.starts[0], other.starts[0])]
    pairs = np.stack([one.at(starts), other.at(starts)], axis=1)
    return _difference(test, pairs, starts, top, families, rng, level, num_draws)


def _steps_of(name: str, validation_accuracy: Floats, costs: Floats, members: Bools) -> Steps:
    if not members.any():
        raise ConfirmationError(
            f"no configuration of the family {name!r} was confirmed up to the ceiling: "
            "there is nothing to compare with"
        )
    return choose(validation_accuracy, costs, np.flatnonzero(members))


def _difference(
    test: Estimate,
    pairs: Ints,
    starts: Floats,
    ceiling: float,
    families: tuple[str, str],
    rng: np.random.Generator,
    level: float,
    num_draws: int,
) -> FamilyDifference:
    """Of the pairs (s, 2) of configurations on each step."""
    used, places = np.unique(pairs, return_inverse=True)
    places = places.reshape(pairs.shape)
    chosen = test.only(used)
    value = chosen.accuracy[places[:, 0]] - chosen.accuracy[places[:, 1]]
    drawn = noise(chosen, rng, num_draws)
    off = drawn[:, places[:, 0]] - drawn[:, places[:, 1]]  # draws, steps
    scale = off.std(axis=0)
    t = np.abs(off) / np.where(scale > 0, scale, np.inf)  # a step without noise has no say
    half = scale * np.quantile(t.max(axis=1), level)
    widths = np.diff(np.log10(starts), append=np.log10(ceiling))
    total = float(value @ widths)
    total_half = float(np.quantile(np.abs(off @ widths), level))
    return FamilyDifference(
        families=families,
        starts=starts,
        ceiling=ceiling,
        chosen=pairs,
        num_seeds=chosen.num_seeds[places],
        value=value,
        low=value - half,
        high=value + half,
        hypervolume=Interval(value=total, low=total - total_half, high=total + total_half),
    )
