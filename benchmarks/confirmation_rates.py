"""How often the statistics of a confirmation are right, on the table of many seeds.

    python benchmarks/confirmation_rates.py            # minutes; --repeats 40: a first look

`confirmation_world.py` says where the truth comes from; `tests/test_confirmation_*.py` hold the
rates to bounds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from confirmation_world import FAMILIES, World, crowded, seeds, some, taken, world

from runs import pareto
from runs.confirmation.draws import draw
from runs.confirmation.estimate import Estimate, Reading, estimate
from runs.confirmation.families import compare
from runs.confirmation.image_results import (
    Bools,
    Floats,
    ImageResults,
    Ints,
    image_results,
)
from runs.confirmation.intervals import accuracy_intervals, difference_interval
from runs.confirmation.membership import Membership, memberships, support
from runs.confirmation.next_seed import next_seed
from runs.confirmation.seed_variance import fit_variances
from runs.confirmation.steps import choose


def own_variances(results: ImageResults, found: Estimate) -> Estimate:
    """The same where each configuration knows only its own scatter."""
    return replace(
        found,
        seed_variance=results.seed_variance,
        degrees_of_freedom=results.num_seeds - 1.0,
    )


def one_variance(results: ImageResults, found: Estimate) -> Estimate:
    """The same where one constant is thought to be the scatter of all."""
    return replace(
        found,
        seed_variance=np.full(len(found.accuracy), results.seed_variance.mean()),
        degrees_of_freedom=np.full(len(found.accuracy), np.inf),
    )


@dataclass(frozen=True)
class Coverage:
    """Percent of intervals that hold the truth, by third of accuracies, weakest first."""

    accuracies: list[float]
    differences: list[float]
    """From another configuration of the same third, at random."""
    points: list[float]
    """Mean width of an accuracy's interval."""


def coverage(
    num_seeds: int,
    reading: Reading,
    repeats: int,
    variances: Callable[[ImageResults, Estimate], Estimate] | None = None,
) -> Coverage:
    """Of the intervals of validation and test images together.

    Args:
        variances: `own_variances` or `one_variance` in place of those fitted to a line.
    """
    bits, rng = world().both, np.random.default_rng(num_seeds)
    true = bits.mean(axis=(1, 2))
    thirds = np.array_split(np.argsort(true), 3)
    alone: list[list[bool]] = [[], [], []]
    pairs: list[list[bool]] = [[], [], []]
    widths: list[list[float]] = [[], [], []]
    for _ in range(repeats):
        images = some(bits, rng) if reading is Reading.ANOTHER_SET else slice(None)
        results = image_results(taken(bits, seeds(bits, num_seeds, rng), images))
        found = estimate(results, reading)
        if variances is not None:
            found = variances(results, found)
        intervals = accuracy_intervals(found)
        for number, third in enumerate(thirds):
            alone[number] += [intervals[i].low <= true[i] <= intervals[i].high for i in third]
            widths[number] += [intervals[i].high - intervals[i].low for i in third]
            mixed = rng.permutation(third)
            for i, j in zip(mixed[::2], mixed[1::2], strict=False):
                pair = difference_interval(found, i, j)
                pairs[number].append(pair.low <= true[i] - true[j] <= pair.high)
    return Coverage(*([100 * float(np.mean(of)) for of in all_] for all_ in (alone, pairs, widths)))


def decided(num_seeds: int, repeats: int) -> tuple[float, float, float]:
    """Percent of the *on* that are on the true front, percent of the *off* that are, and percent
    that were decided. The cheapest of all is left out: it is on the front without any doubt."""
    table, rng = world(), np.random.default_rng(num_seeds)
    bits = table.both
    true = bits.mean(axis=(1, 2))
    members = np.isin(np.arange(len(true)), pareto.front(table.cost, true))
    uncertain = table.cost > table.cost.min()
    states, truths = [], []
    for _ in range(repeats):
        right = taken(bits, seeds(bits, num_seeds, rng), some(bits, rng))
        found = support(draw(estimate(image_results(right)), rng, 1000), table.cost)
        states += [*np.array(memberships(found))[uncertain]]
        truths += [*members[uncertain]]
    on = [truth for state, truth in zip(states, truths, strict=True) if state == Membership.ON]
    off = [truth for state, truth in zip(states, truths, strict=True) if state == Membership.OFF]
    either = (len(on) + len(off)) / len(states)
    return 100 * float(np.mean(on)), 100 * float(np.mean(off)), 100 * either


def against_itself(num_seeds: int, repeats: int, more: int = 0) -> tuple[float, float]:
    """Percent of comparisons of the Mixers with themselves in which the band leaves out zero, and
    in which the interval of the hypervolume difference does.

    Both sides have what is truly chosen among the Mixers, trained with seeds of their own and
    judged on the same images; one has so many others besides. What is chosen is fixed.
    """
    table, rng = world().of("mixer"), np.random.default_rng(num_seeds)
    validation = table.validation.mean(axis=(1, 2))
    chosen = choose(validation, table.cost).chosen
    found = []
    for _ in range(repeats):
        others = rng.integers(len(table.cost), size=more)
        index = np.concatenate([chosen, others, chosen])
        family = ["mixer"] * (len(chosen) + more) + ["again"] * len(chosen)
        bits = table.test[index]
        difference = compare(
            estimate(image_results(taken(bits, seeds(bits, num_seeds, rng), some(bits, rng)))),
            validation[index],
            table.cost[index],
            family,
            ("mixer", "again"),
            rng,
            num_draws=1000,
        )
        found.append([difference.excludes_zero, difference.hypervolume.excludes_zero])
    band, hypervolume = 100 * np.mean(found, axis=0)
    return float(band), float(hypervolume)


def held(table: World, num_seeds: int, repeats: int) -> tuple[float, Floats]:
    """Percent of confirmations in which the band holds the true difference of those chosen at all
    costs, the choice made anew each time by validation with the same trainings; and by how many
    points the test accuracy of each family's chosen is too high, a mean over log cost."""
    rng = np.random.default_rng(num_seeds)
    true = table.test.mean(axis=(1, 2))
    holds, luck = [], []
    for _ in range(repeats):
        trainings = seeds(table.test, num_seeds, rng)
        test = taken(table.test, trainings, some(table.test, rng))
        validation = taken(table.validation, trainings, some(table.validation, rng))
        reported = estimate(image_results(test))
        difference = compare(
            reported,
            image_results(validation).accuracy,
            table.cost,
            list(table.family),
            FAMILIES,
            rng,
            num_draws=1000,
        )
        one, other = difference.chosen.T
        value = true[one] - true[other]
        holds.append(((difference.low <= value) & (value <= difference.high)).all())
        widths = np.diff(np.log10(difference.starts), append=np.log10(difference.ceiling))
        luck.append(widths @ (reported.accuracy - true)[difference.chosen] / widths.sum())
    return 100 * float(np.mean(holds)), 100 * np.mean(luck, axis=0)


def estimated(accuracies: Floats, num_seeds: Ints) -> Estimate:
    """From the first so many trainings of each, on images that are all there are."""
    used = [row[:k] for row, k in zip(accuracies, num_seeds, strict=True)]
    accuracy = np.array([row.mean() for row in used])
    own = np.array([row.var(ddof=1) for row in used]) + 1e-8
    found = fit_variances(own, num_seeds, accuracy)
    return Estimate(
        accuracy=accuracy,
        num_seeds=num_seeds,
        seed_variance=found.variance,
        degrees_of_freedom=found.degrees_of_freedom,
        image_covariance=np.zeros((len(used), len(used))),
    )


def misclassified(
    accuracies: Floats, true: Floats, cost: Floats, rng: np.random.Generator
) -> tuple[float, float]:
    """Percent of configurations on the wrong side of the front with five seeds each, and with three
    each and the rest of the same training compute where it decides most.

    A member counts by what its support lacks, another by the support it has. A training costs as
    much as the configuration does on one image.
    """
    members = np.isin(np.arange(len(cost)), pareto.front(cost, true))

    def wrong(num_seeds: Ints) -> float:
        found = support(draw(estimated(accuracies, num_seeds), rng, 1000), cost)
        return 100 * float(np.mean(np.where(members, 1 - found, found)))

    num_seeds, left = np.full(len(cost), 3), 2 * cost.sum()
    while True:
        proposed = next_seed(
            estimated(accuracies, num_seeds), cost, cost, rng, budget=left, num_draws=100
        )
        if proposed is None or num_seeds[proposed] == accuracies.shape[1]:
            break
        num_seeds[proposed] += 1
        left -= cost[proposed]
    assert num_seeds @ cost <= 5 * cost.sum() * (1 + 1e-9)
    return wrong(np.full(len(cost), 5)), wrong(num_seeds)


def in_simulated_worlds(repeats: int, count: int) -> tuple[float, float]:
    """`misclassified`, means over worlds with a deviation between seeds of a quarter of a point."""
    rng = np.random.default_rng(1)
    found = []
    for _ in range(repeats):
        cost = np.sort(10 ** rng.uniform(0, 1.3, count))
        true = 0.8 + 0.05 * np.log10(cost) + 0.004 * rng.standard_normal(count)
        accuracies = rng.normal(true[:, None], 0.0025, (count, 60))
        found.append(misclassified(accuracies, true, cost, rng))
    uniform, adaptive = np.mean(found, axis=0)
    return float(uniform), float(adaptive)


def in_the_table(repeats: int) -> tuple[float, float]:
    """`misclassified`, of the trainings of the table in random orders, by validation accuracy, both
    families one front."""
    table, rng = world(), np.random.default_rng(2)
    accuracies = table.validation.mean(axis=2)
    found = []
    for _ in range(repeats):
        order = np.array([rng.permutation(row) for row in accuracies])
        found.append(misclassified(order, accuracies.mean(axis=1), table.cost, rng))
    uniform, adaptive = np.mean(found, axis=0)
    return float(uniform), float(adaptive)


def about_the_curve(bits: Bools) -> tuple[float, float]:
    """Deviation of log (s^2 / v), all seeds, v fitted with what the images tell and without."""
    results = image_results(list(bits))
    known = (results.seed_variance, results.num_seeds, results.accuracy)
    by_images = results.interaction_variance / results.num_images
    curves = (fit_variances(*known, by_images).line, fit_variances(*known).line)
    one, other = (float(np.log(results.seed_variance / line).std(ddof=2)) for line in curves)
    return one, other


def between_configurations(bits: Bools) -> tuple[float, float]:
    """Mean correlation of the accuracies of two configurations over seeds of the same number, and
    its standard error where there is none."""
    pairs = np.corrcoef(bits.mean(axis=2))[np.triu_indices(len(bits), 1)]
    return float(pairs.mean()), float(1 / np.sqrt((bits.shape[1] - 1) * len(pairs)))


def main(argv: Sequence[str] | None = None) -> int:
    """Prints all rates as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=400)
    repeats = parser.parse_args(argv).repeats
    table = world()
    print(f"{len(table.cost)} configurations, {table.both.shape[1]} seeds, {repeats} repeats\n")
    print("| images | s^2 about the curve | about a line | same seeds, correlation |")
    print("|---|---|---|---|")
    for name, of in (("validation", table.validation), ("test", table.test), ("both", table.both)):
        curve, line = about_the_curve(of)
        mean, error = between_configurations(of)
        print(f"| {name} | {curve:.2f} | {line:.2f} | {mean:.2f} (error {error:.2f}) |")
    print("\n| 95 % intervals | seeds | accuracies | differences | width, points |")
    print("|---|---|---|---|---|")
    for reading in Reading:
        for k in (3, 5):
            print_coverage(reading.value, k, coverage(k, reading, repeats))
    for name, variances in (("own", own_variances), ("one constant", one_variance)):
        print_coverage(
            f"{name} variance, {Reading.THIS_SET.value}",
            3,
            coverage(3, Reading.THIS_SET, repeats, variances),
        )
    print("\n| support | seeds | *on* right | *off* wrong | decided |\n|---|---|---|---|---|")
    for k in (3, 5):
        on, off, either = decided(k, repeats)
        print(f"| | {k} | {on:.1f} % | {off:.1f} % | {either:.0f} % |")
    print("\n| Mixers against themselves | seeds | band leaves out 0 | hypervolume |")
    print("|---|---|---|---|")
    for k in (3, 5):
        for more in (0, 34):
            band, hypervolume = against_itself(k, repeats, more)
            print(f"| {more} more on one side | {k} | {band:.1f} % | {hypervolume:.1f} % |")
    print("\n| Mixer against ViT | seeds | band holds those chosen | their luck, points |")
    print("|---|---|---|---|")
    for name, of in (("table", table), ("simulated, close candidates", crowded())):
        for k in (3, 5):
            holds, luck = held(of, k, repeats)
            print(f"| {name} | {k} | {holds:.1f} % | {luck[0]:+.2f}, {luck[1]:+.2f} |", flush=True)
    print("\n| misclassified | 5 each | 3 each, then adaptive |\n|---|---|---|")
    uniform, adaptive = in_the_table(repeats // 4)
    print(f"| table | {uniform:.1f} % | {adaptive:.1f} % |")
    uniform, adaptive = in_simulated_worlds(max(1, repeats // 7), 41)
    print(f"| simulated, 41 candidates | {uniform:.1f} % | {adaptive:.1f} % |")
    return 0


def print_coverage(name: str, num_seeds: int, found: Coverage) -> None:
    """A row: weakest, middle and best third."""
    cells = (
        " / ".join(f"{value:.1f}" for value in thirds)
        for thirds in (found.accuracies, found.differences, found.points)
    )
    print(f"| {name} | {num_seeds} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
