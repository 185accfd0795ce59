"""What a confirmation says of its front, in a table and in sentences."""

from __future__ import annotations

from statistics import fmean

import pandas as pd

from runs.confirmation.membership import Membership
from runs.confirmation.seeds_to_decide import MOST_SEEDS
from runs.confirmation.sentence import read_times
from runs.confirmed import Confirmed
from runs.noise import longer_arm
from space.costs import FLOPS, PARAMS
from space.quantities import counted, format_seconds


def confirmed_table(found: Confirmed) -> pd.DataFrame:
    """One row a network, group by group, cheapest first.

    Columns: Trial (that was repeated), Configuration, Group where there are several, FLOPs
    (millions), the cost by its label where it is another; Accuracy (percent) and ± (half of its
    interval, in points); Front (*on*, *off* or *undecided*), Support, Seeds, To decide (how many
    seeds would, where it is undecided), Optimism (points that the search saw more; missing where
    the search stopped it early).
    """
    cost = found.study.cost
    rows = []
    for i in [i for members in found.members.values() for i in members]:
        network, accuracy, optimism = found.networks[i], found.accuracies[i], found.optimism[i]
        row: dict[str, object] = {
            "Trial": network.parent.number,
            "Configuration": network.parent.short_label,
        }
        if len(found.members) > 1:
            row["Group"] = found.groups[i]
        row["FLOPs"] = network.parent.flops / 1e6
        if cost not in (FLOPS, PARAMS):
            row[cost.label] = found.costs[i]
        rows.append(
            row
            | {
                "Accuracy": 100 * accuracy.value,
                "±": 100 * (longer_arm(accuracy) or 0.0),
                "Front": found.memberships[i].value,
                "Support": found.support[i],
                "Seeds": len(network.trials),
                "To decide": _seeds(found, i),
                "Optimism": None if optimism is None else 100 * optimism.value,
            }
        )
    return pd.DataFrame(rows)


def to_publish(found: Confirmed) -> str | None:
    """One sentence of all, with the data set: of the first two families at the largest budget.

    The choice does not look at the result, or the sentence would be picked for it. None where
    nothing is compared.
    """
    if not found.comparisons:
        return None
    said = found.sentences_of(found.comparisons[0])[-1]
    data = found.study.spec.get("dataset", "an unnamed data set")
    return f"On {data}, {said[:1].lower()}{said[1:]}."


PUBLISH = (
    "To publish: the first two families at the largest budget, a choice that does not look at the "
    "result. The sentences of two families hold together."
)
"""Why `to_publish` chose its sentence."""


def by_families(found: Confirmed) -> dict[str, list[str]]:
    """The sentences of every comparison, smallest budget first, under its two families."""
    return {
        " and ".join(each.families): [f"{said}." for said in found.sentences_of(each)]
        for each in found.comparisons
    }


def published(found: Confirmed) -> list[str]:
    """The one to publish and why it is that one, then the sentences, two families after another;
    empty where nothing is compared."""
    first = to_publish(found)
    if first is None:
        return []
    return [f"{first} {PUBLISH}", *(" ".join(said) for said in by_families(found).values())]


def split_sentence(found: Confirmed) -> str:
    """Of which images the accuracies are."""
    split = "test" if found.is_tested else "fresh validation"
    return (
        f"Accuracies are means over fresh seeds on {split}, intervals of {100 * found.level:g} % "
        f"for images and seeds; {read_times(found.readings)}"
    )


def marks_sentence(found: Confirmed) -> str:
    """What the shape of a point says, and on which images that was decided."""
    said = (
        "Filled points are on the front of their group, open ones undecided, crosses off; lines go "
        "through what validation chose"
    )
    if not found.is_tested:
        return said
    return (
        f"{said}. So the height of a point is of the test split, while its shape and the line were "
        "decided on fresh validation: a cross may well lie above a line"
    )


def front_sentence(found: Confirmed) -> str:
    """How many networks are on the front of their group, off, and undecided."""
    counts = {kind: found.memberships.count(kind) for kind in Membership}
    return (
        f"Of {counted(len(found.networks), 'configuration')} {counts[Membership.ON]} are on the "
        f"front of their group, {counts[Membership.OFF]} off, {counts[Membership.UNDECIDED]} "
        "undecided, by fresh validation"
    )


def undecided_sentence(found: Confirmed) -> str | None:
    """What would decide the undecided; None where there are none."""
    needed = found.seeds_to_decide
    if not needed:
        return None
    counts = [n for n in needed.values() if n is not None]
    lost = [found.networks[i].parent.number for i, n in needed.items() if n is None]
    said = []
    if counts:
        how = str(min(counts)) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"
        said.append(
            f"{how} seeds of every configuration of a front would decide "
            f"{len(counts)} of {len(needed)} undecided"
        )
    if lost:
        which = "trials" if len(lost) > 1 else "trial"
        images = found.right["validation"][0].shape[-1]
        said.append(
            f"{MOST_SEEDS} seeds would not decide {which} {', '.join(map(str, lost))}: the "
            f"accuracies are too close for {images:,} validation images"
        )
    return f"{'; '.join(said)}. That is if the means stay as they are"


def optimism_sentence(found: Confirmed) -> str | None:
    """How much the search saw too much; None where no configuration was trained to the end."""
    known = [one for one in found.optimism if one is not None]
    if not known:
        return None
    mean = fmean(100 * one.value for one in known)
    beyond = sum(one.excludes_zero for one in known)
    sign = "more" if mean >= 0 else "less"
    luck = f"{beyond} differ" if beyond > 1 else f"{beyond or 'none'} differs"
    return (
        f"The search saw {abs(mean):.2f} points {sign} than fresh seeds in the mean of "
        f"{counted(len(known), 'configuration')}; {luck} by more than the luck of one training"
    )


def failed_lines(found: Confirmed) -> list[str]:
    """Who is not judged, since a training failed, and why."""
    lines = []
    for network in found.failed:
        failed = [trial for trial in network.trials if trial.error]
        lines.append(
            f"trial {network.parent.number}, {network.parent.label}, is not judged: "
            f"{len(failed)} of {counted(len(network.trials), 'training')} failed"
            + (f" ({failed[0].error})" if failed else "")
        )
    return lines


def decisive_seeds(found: Confirmed) -> int | None:
    """The seeds that would decide all the undecided that any number decides; None where there are
    none."""
    return max((n for n in found.seeds_to_decide.values() if n is not None), default=None)


def further_sentence(found: Confirmed, seeds: int) -> str:
    """What it takes to confirm with so many seeds a configuration: trainings, and their time at the
    pace of those there are.

    Once the test split was read that is another confirmation, with all its trainings anew.
    """
    missing = [
        seeds if found.is_tested else max(0, seeds - len(network.trials))
        for network in found.networks
    ]
    known = [
        [t.wall_seconds for t in n.trials if t.wall_seconds is not None] for n in found.networks
    ]
    said = f"It takes {counted(sum(missing), 'more training')}"
    if not all(known):
        return said
    seconds = sum(m * fmean(each) for m, each in zip(missing, known, strict=True))
    return f"{said}, {format_seconds(seconds)} at the pace of those there are"


def _seeds(found: Confirmed, i: int) -> str:
    if i not in found.seeds_to_decide:
        return ""
    needed = found.seeds_to_decide[i]
    return f"over {MOST_SEEDS}" if needed is None else str(needed)
