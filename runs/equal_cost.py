"""Two families compared at equal cost: the best of one against the best of the other.

At a cost F each family is stood for by its most accurate configuration of at most F. The two were
chosen for their accuracies, on the images these are counted on: both are flattered, the family with
more trials more. `runs.confirmation` chooses and reports on different images.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from runs import pareto
from runs.confirmation.intervals import Interval
from runs.confirmation.sentence import budgets
from runs.noise import LEVEL, Noise
from runs.record import StudyRecord, TrialRecord
from runs.winners import objectives
from space.costs import Cost
from space.families import family_of


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The best of two families at one budget."""

    budget: float
    one: TrialRecord
    other: TrialRecord
    num_seeds: tuple[int, int]
    """Behind each accuracy."""
    arms: tuple[float | None, float | None]
    """What stands after `±` of each accuracy; None where the number of images is not known."""
    difference: Interval | None
    """Accuracy of the one less that of the other; all comparisons made together hold with 95 %."""

    @property
    def points(self) -> float:
        """The difference in percentage points."""
        return 100 * ((self.one.accuracy or 0.0) - (self.other.accuracy or 0.0))

    @property
    def is_single_seed(self) -> bool:
        """Whether the interval knows no seeds, so that it calls neither family better."""
        return min(self.num_seeds) < 2

    def verdict(self, unconverged: Collection[int] = ()) -> str:
        """`Mixer is better` in as many words, or why that cannot be said.

        Args:
            unconverged: numbers of trials whose training had not converged.
        """
        if self.is_single_seed:
            return "one seed, images only"
        if {self.one.number, self.other.number} & set(unconverged):
            return "not converged"
        if self.difference is None or not self.difference.excludes_zero:
            return "within noise"
        better = self.one if self.difference.low > 0 else self.other
        return f"{family_of(better.config).label} is better"


def compared_families(
    study: StudyRecord, found: Sequence[TrialRecord], given: Sequence[TrialRecord]
) -> list[tuple[list[TrialRecord], list[TrialRecord]]]:
    """The first family that is searched against each other one, with the finished trials of both.

    Of a family that is searched these are the trials found, of another those that were given.
    """
    first, *searched = study.families
    ones = [t for t in found if t.family == first]
    others = dict.fromkeys(t.family for t in given if t.family not in study.families)
    pairs = [
        (ones, [t for t in (found if name in searched else given) if t.family == name])
        for name in [*searched, *others]
    ]
    return [pair for pair in pairs if all(pair)]


def at_equal_cost(
    ones: Sequence[TrialRecord], others: Sequence[TrialRecord], noise: Noise, cost: Cost
) -> list[Comparison]:
    """The comparisons at up to three costs at which both families have a member.

    The costs are spread evenly over the decades from the dearer of the two cheapest members to the
    cheaper of the two dearest; those at which the same two would meet again are left out.

    Args:
        ones: finished configurations of one family, records as `runs.seeds.over_seeds` gives them.
        others: those of the other.
        noise: of their study.
        cost: what the study minimises.
    """
    families = [
        [t for t in trials if t.accuracy is not None and t.cost(cost) is not None]
        for trials in (ones, others)
    ]
    if not all(families):
        return []
    planes = [objectives(trials, cost) for trials in families]
    low = max(min(costs) for costs, _ in planes)
    high = max(low, min(max(costs) for costs, _ in planes))
    pairs: dict[tuple[int, int], float] = {}
    for budget in budgets(low, high):
        one, other = (pareto.best_under(*plane, budget) for plane in planes)
        assert one is not None, "the budget is no less than the cost of its cheapest"
        assert other is not None, "the same"
        pairs.setdefault((one, other), budget)
    level = 1 - (1 - LEVEL) / len(pairs)  # Bonferroni: together they hold with 95 %
    return [
        _compared(families[0][i], families[1][j], budget, noise, level)
        for (i, j), budget in pairs.items()
    ]


def _compared(
    one: TrialRecord, other: TrialRecord, budget: float, noise: Noise, level: float
) -> Comparison:
    return Comparison(
        budget=budget,
        one=one,
        other=other,
        num_seeds=(noise.seeds_behind(one), noise.seeds_behind(other)),
        arms=(noise.half_width(one), noise.half_width(other)),
        difference=noise.difference(one, other, level),
    )
