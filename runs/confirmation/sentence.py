"""What a comparison of two families says, in sentences that can be published."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from runs.confirmation.families import FamilyDifference
from runs.confirmation.intervals import Interval
from space.quantities import counted

NUM_BUDGETS = 3


def sentences(
    difference: FamilyDifference,
    written: Callable[[float], str],
    labels: Mapping[str, str],
    readings: int | None,
) -> list[str]:
    """One at each of three budgets: `At 20 MFLOPs Mixer is +1.2 points (0.6 to 1.8) over ViT; 5
    seeds, test read once`.

    The band is simultaneous, so all three hold together.

    Args:
        difference: the comparison.
        written: how a cost is written, such as `20 MFLOPs`.
        labels: how each family is written.
        readings: how often the test split has been read; None where there is none, and validation
            both chose and reports.
    """
    return [
        sentence(difference, budget, written, labels, readings)
        for budget in budgets(difference.starts[0], difference.ceiling)
    ]


def sentence(
    difference: FamilyDifference,
    budget: float,
    written: Callable[[float], str],
    labels: Mapping[str, str],
    readings: int | None,
) -> str:
    """The same at one budget. A family is called better only where the band leaves out zero.

    Raises:
        ConfirmationError: at this budget only one of the families has a member.
    """
    found = difference.at(budget)
    one, other = (labels[name] for name in difference.families)
    if found.high < 0:
        one, other = other, one
        found = Interval(value=-found.value, low=-found.high, high=-found.low)
    points = _in_points(found)
    told = f"{one} is {points} over {other}"
    if not found.excludes_zero:
        told = f"{one} and {other} cannot be told apart: {one} has {points} against {other}"
    seeds = difference.num_seeds[difference.step(budget)]
    return f"At {written(budget)} {told}; {_seeds(min(seeds), max(seeds))}, {read_times(readings)}"


def budgets(low: float, high: float, count: int = NUM_BUDGETS) -> list[float]:
    """Costs evenly spread over the logarithm of a range, each as round as the range allows."""
    chosen: list[float] = []
    for i in range(count):
        aim = low * (high / low) ** ((i + 0.5) / count)
        round_ones = (_nearest_of_1_2_5(aim), float(f"{aim:.1e}"), aim)
        chosen.append(next(c for c in round_ones if low <= c <= high and c not in chosen))
        if low == high:
            break
    return chosen


def _nearest_of_1_2_5(aim: float) -> float:
    """The nearest number, by ratio, of 1, 2 or 5 times a power of ten."""
    power = math.floor(math.log10(aim))
    steps = [float(f"{digit}e{power}") for digit in (1, 2, 5, 10)]
    return min(steps, key=lambda step: abs(math.log(step / aim)))


def _in_points(found: Interval) -> str:
    """`+1.2 points (0.6 to 1.8)`; a second decimal where an end would read as zero."""
    ends = [100 * found.low, 100 * found.high]
    digits = 2 if any(round(end, 1) == 0 for end in ends) else 1
    low, high = (f"{end:.{digits}f}" for end in ends)
    return f"{100 * found.value:+.{digits}f} points ({low} to {high})"


def _seeds(fewest: int, most: int) -> str:
    return counted(fewest, "seed") if fewest == most else f"{fewest} and {most} seeds"


def read_times(readings: int | None) -> str:
    """`test read once`; None where nothing was read, and validation reports."""
    if readings is None:
        return "on validation, which also chose"
    return "test read once" if readings == 1 else f"test read {readings} times"
