"""What a family offers at each cost: the configuration that validation chose, as a step function.

A_f(F) is the test accuracy of the configuration that fresh validation picks at a cost of at most F.
It is not the best test accuracy up to F: a maximum over test accuracies selects on test, and
favours the family with more near ties. So A_f may fall where validation erred.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from runs.confirmation.image_results import Floats, Ints


@dataclass(frozen=True, kw_only=True)
class Steps:
    """The choice as a function of the cost; constant from one start to the next."""

    starts: Floats
    """(s,) costs at which another configuration is chosen, rising."""
    chosen: Ints
    """(s,) which one, as an index into what was given."""

    def at(self, cost: npt.ArrayLike) -> Ints:
        """Whom validation picks at each cost; -1 below the cheapest."""
        index = np.searchsorted(self.starts, cost, side="right") - 1
        return np.where(index >= 0, self.chosen[np.maximum(index, 0)], -1)


def choose(
    validation_accuracy: Floats, cost: npt.ArrayLike, members: npt.ArrayLike | None = None
) -> Steps:
    """The most accurate configuration at each cost, of equally accurate ones the cheaper.

    Args:
        validation_accuracy: (m,) means over fresh seeds.
        cost: (m,).
        members: indices of those to choose among; all by default.
    """
    costs = np.asarray(cost, dtype=np.float64)
    among = np.arange(len(costs)) if members is None else np.asarray(members, dtype=np.int64)
    starts: list[float] = []
    chosen: list[int] = []
    best = -np.inf
    for i in among[np.lexsort((-validation_accuracy[among], costs[among]))]:
        if validation_accuracy[i] > best:
            best = validation_accuracy[i]
            starts.append(float(costs[i]))
            chosen.append(int(i))
    return Steps(starts=np.array(starts), chosen=np.array(chosen, dtype=np.int64))


def area(steps: Steps, accuracy: Floats, *, guessing: float, ceiling: float) -> Floats:
    """Hypervolume under A_f, in accuracy x decades of cost: what lies above guessing, to a ceiling.

    Where A_f rises all along it is `runs.pareto.hypervolume` of the chosen.

    Args:
        accuracy: (..., m) test accuracies; one figure for each leading index, such as draws.
        guessing: the accuracy of guessing.
        ceiling: the cost to which it is measured.
    """
    starts = np.log10(np.minimum(steps.starts, ceiling))
    widths = np.diff(starts, append=np.log10(ceiling))
    return np.asarray((accuracy[..., steps.chosen] - guessing) @ widths)


def attainment(
    draws: Floats, cost: npt.ArrayLike, at: npt.ArrayLike, shares: Sequence[float]
) -> Floats:
    """(shares, costs) accuracies that the best up to each cost stays below in such shares of draws.

    These are the quantiles of the attainment function (Grunert da Fonseca, Fonseca & Hall,
    EMO 2001) where one axis is exact: quantiles of the running maximum. nan below the cheapest.

    Args:
        draws: (draws, m) accuracies of configurations, of validation or of those it chose.
        cost: (m,).
        at: (costs,) where they are asked for.
        shares: such as 0.05, 0.25, 0.5, 0.75, 0.95.
    """
    order = np.argsort(np.asarray(cost), kind="stable")
    best = np.maximum.accumulate(draws[:, order], axis=1)
    quantiles = np.quantile(best, shares, axis=0)  # shares, configurations
    index = np.searchsorted(np.asarray(cost)[order], at, side="right") - 1
    return np.where(index >= 0, quantiles[:, np.maximum(index, 0)], np.nan)
