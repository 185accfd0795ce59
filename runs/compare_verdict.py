"""Which of two studies found the better front, as far as can be told; in sentences.

Of the searches: hypervolume after as many training FLOPs in both, with the interval that the noise
of validation leaves it. Of confirmations, where both studies have one: accuracy over fresh seeds at
three budgets. Both take the two studies for independent, though they may have seen the same images:
intervals are wider than they need be. How far another search with the same settings would come out
elsewhere is in neither.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np

from runs import pareto, winners
from runs.compare_studies import common_reference
from runs.confirmation.intervals import Interval, accuracy_intervals
from runs.confirmation.sentence import budgets
from runs.confirmation.steps import choose
from runs.confirmed import Confirmed
from runs.noise import LEVEL, less
from runs.record import Origin
from runs.snapshot import Snapshot
from space.quantities import format_count

ONE_SEARCH = (
    "It is one search of each: what another seed of the search would change is not known, and in "
    "no interval. Each interval holds by itself."
)


def search_verdict(studies: Mapping[str, Snapshot], first: str, other: str) -> str:
    """What the hypervolume of one study's search is over that of the other, at equal compute.

    Args:
        studies: by the name each is shown under; all minimise the same cost, and are measured to
            one point.
        first: the name of one.
        other: the name of the one it is compared with.
    """
    spent = {name: _spent(studies[name]) for name in (first, other)}
    equal = min(spent.values())
    if not equal:
        without = next(name for name, flops in spent.items() if not flops)
        return f"{first} and {other} cannot be told apart: {without} has found nothing yet."
    reference = common_reference([one.study for one in studies.values()])
    areas = [area_after(studies[name], equal, reference) for name in (first, other)]
    at = f"At {format_count(equal)} training FLOPs each"
    if areas[0] is None or areas[1] is None:
        return (
            f"{at}, {first} and {other} cannot be told apart: the noise of accuracies is not known."
        )
    return _said(
        at, first, other, less(areas[0], areas[1]), lambda value: f"{value:+.3f}", "hypervolume"
    )


def confirmed_verdicts(found: Mapping[str, Confirmed], first: str, other: str) -> list[str]:
    """What accuracy one study's confirmed networks have over the other's, at three budgets.

    At a budget each study is stood for by the searched network that its fresh validation chose;
    the reported accuracy is of test where both have read it. Empty where they minimise different
    costs or no budget has networks of both.
    """
    pair = [found[first], found[other]]
    cost = pair[0].study.cost
    if pair[1].study.cost.name != cost.name or pair[0].is_tested != pair[1].is_tested:
        return []
    members = [_searched(one) for one in pair]
    if not all(members):
        return []
    steps = [
        choose(one.validation.accuracy, one.costs, m) for one, m in zip(pair, members, strict=True)
    ]
    low = max(float(step.starts[0]) for step in steps)
    high = min(one.study.cost_ceiling for one in pair)
    if low > high:
        return []
    split = "test" if pair[0].is_tested else "fresh validation"
    intervals = [accuracy_intervals(one.reported, LEVEL) for one in pair]
    said = []
    for budget in budgets(low, high):
        chosen = [
            of_one[int(step.at(budget))] for of_one, step in zip(intervals, steps, strict=True)
        ]
        said.append(
            _said(
                f"At {cost.shortly(budget)}",
                first,
                other,
                less(*chosen),
                lambda value: f"{100 * value:+.1f}",
                f"points of {split} accuracy over fresh seeds",
            )
        )
    return said


def area_after(snapshot: Snapshot, flops: float, reference: pareto.Reference) -> Interval | None:
    """The hypervolume that a search had after so many training FLOPs, with its interval.

    The front is taken as it was; its accuracies move independently, each within its interval. They
    were chosen for being high, so the value flatters the search.

    Returns:
        None where no accuracy has an interval.
    """
    finished, spent = snapshot.in_order
    cost = snapshot.study.cost
    ended = finished[: int(np.searchsorted(spent, flops, side="right"))]
    front = winners.front(ended, snapshot.study.min_accuracy, cost)
    front = [
        trial
        for trial in front
        if (trial.cost(cost) or math.inf) < reference.cost
        and (trial.accuracy or 0.0) > reference.accuracy
    ]
    if not front:
        return Interval(value=0.0, low=0.0, high=0.0)
    intervals = [snapshot.noise.interval(trial) for trial in front]
    known = [one for one in intervals if one is not None]
    if len(known) < len(front):
        return None
    starts = [math.log10(t.cost(cost) or 1.0) for t in front]
    widths = [b - a for a, b in pairwise([*starts, math.log10(reference.cost)])]
    value = sum(
        w * max(0.0, one.value - reference.accuracy) for w, one in zip(widths, known, strict=True)
    )
    down = math.hypot(*(w * (one.value - one.low) for w, one in zip(widths, known, strict=True)))
    up = math.hypot(*(w * (one.high - one.value) for w, one in zip(widths, known, strict=True)))
    return Interval(value=value, low=value - down, high=value + up)


def _spent(snapshot: Snapshot) -> float:
    """Training FLOPs of a search until its last configuration finished."""
    _, spent = snapshot.in_order
    return float(spent[-1]) if len(spent) else 0.0


def _searched(found: Confirmed) -> list[int]:
    return [i for i, n in enumerate(found.networks) if n.parent.origin is Origin.SEARCH]


def _said(
    at: str, one: str, other: str, found: Interval, written: Callable[[float], str], of: str
) -> str:
    """A study is called better only where the interval leaves out zero."""
    if found.high < 0:
        one, other = other, one
        found = Interval(value=-found.value, low=-found.high, high=-found.low)
    interval = f"{written(found.value)} ({written(found.low)} to {written(found.high)}) {of}"
    if found.excludes_zero:
        return f"{at}, {one} is better than {other}: {interval}, {100 * LEVEL:g} %."
    return f"{at}, {one} and {other} cannot be told apart: {one} has {interval}, {100 * LEVEL:g} %."
