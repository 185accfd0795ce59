"""A confirmation as the database has it: accuracies over fresh seeds, the front, groups compared.

A group is a family that was searched, or the given configurations of one (baselines): each has a
front of its own. Fresh validation says who is on it; the test split, once it was read, reports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean
from typing import Any

import numpy as np

from runs.confirmation.draws import draw
from runs.confirmation.errors import ConfirmationError
from runs.confirmation.estimate import Estimate, estimate
from runs.confirmation.families import FamilyDifference, compare
from runs.confirmation.image_results import Floats, image_results, unpacked
from runs.confirmation.intervals import Interval, accuracy_intervals, optimism_intervals
from runs.confirmation.membership import Membership, memberships, support
from runs.confirmation.seeds_to_decide import seeds_to_decide
from runs.confirmation.sentence import sentences
from runs.confirmation.steps import area, choose
from runs.confirmed_networks import FEWEST_SEEDS, Network, group_of, networks_of
from runs.reader import Reader
from runs.record import ConfirmationRecord, ImageResults, Origin, State, StudyRecord, TrialRecord


@dataclass(frozen=True, kw_only=True, eq=False)
class Confirmed:
    """What fresh seeds say of a study's front; every figure follows from the database."""

    study: StudyRecord
    record: ConfirmationRecord
    networks: tuple[Network, ...]
    """Those judged, cheapest first."""
    failed: tuple[Network, ...]
    """Those that are not, since a training of theirs failed."""
    right: dict[str, list[Any]]
    """By split an array (seeds, images) of booleans for every network; no `test` before it was
    read."""
    readings: int | None
    """How often the database has the test split read; None before this confirmation did."""
    level: float
    """Of its intervals."""

    @property
    def is_tested(self) -> bool:
        """Whether the figures are of the test split, not of fresh validation, which chose."""
        return "test" in self.right

    @cached_property
    def costs(self) -> Floats:
        """(m,) in what the study minimises."""
        costs = [network.parent.cost(self.study.cost) or 0.0 for network in self.networks]
        return np.array(costs, dtype=np.float64)

    @cached_property
    def groups(self) -> list[str]:
        """The group of every network, as it is written: `Mixer`, `ViT`, `Mixer baseline`."""
        return [group_of(network.parent, self.study) for network in self.networks]

    @cached_property
    def validation(self) -> Estimate:
        """What chooses."""
        return estimate(image_results(self.right["validation"]))

    @cached_property
    def reported(self) -> Estimate:
        """What reports: the test split, or fresh validation."""
        return estimate(image_results(self.right["test"])) if self.is_tested else self.validation

    @cached_property
    def accuracies(self) -> list[Interval]:
        """Of every network, in [0, 1]."""
        return accuracy_intervals(self.reported, self.level)

    @cached_property
    def optimism(self) -> list[Interval | None]:
        """What the search saw of every network less what fresh validation says; None of one that
        the search stopped early."""
        seen = np.array([network.parent.accuracy or np.nan for network in self.networks])
        found = optimism_intervals(seen, self.validation, self.level)
        return [
            interval if network.parent.state is State.COMPLETE else None
            for network, interval in zip(self.networks, found, strict=True)
        ]

    @cached_property
    def support(self) -> Floats:
        """(m,) share of the draws in which a network is on the front of its group."""
        shares = np.zeros(len(self.networks))
        draws = draw(self.validation, np.random.default_rng(0))
        for members in self.members.values():
            shares[members] = support(draws[:, members], self.costs[members])
        return shares

    @cached_property
    def memberships(self) -> list[Membership]:
        """*on*, *off* or *undecided*."""
        return memberships(self.support)

    @cached_property
    def seeds_to_decide(self) -> dict[int, int | None]:
        """By index of every undecided network, how many seeds of each of its group would decide it,
        if the means stay as they are; None where no number that anybody trains would."""
        found: dict[int, int | None] = {}
        for members in self.members.values():
            unsure = [i for i in members if self.memberships[i] is Membership.UNDECIDED]
            places = [members.index(i) for i in unsure]
            needed = seeds_to_decide(self.validation.only(members), self.costs[members], places)
            found.update(zip(unsure, needed.values(), strict=True))
        return found

    @cached_property
    def comparisons(self) -> list[FamilyDifference]:
        """The first searched family against every other group, where both have a member."""
        first, *others = self.members
        found = []
        for other in others:
            try:
                found.append(
                    compare(
                        self.reported,
                        self.validation.accuracy,
                        self.costs,
                        self.groups,
                        (first, other),
                        np.random.default_rng(0),
                        ceiling=self.study.cost_ceiling,
                        level=self.level,
                    )
                )
            except ConfirmationError:  # one of them has no member under the ceiling
                continue
        return found

    @cached_property
    def hypervolumes(self) -> dict[str, Interval]:
        """By group, of what validation chose, in accuracy x decades of the cost."""
        draws = draw(self.reported, np.random.default_rng(0))
        tails = [(1 - self.level) / 2, (1 + self.level) / 2]
        found = {}
        for group, members in self.members.items():
            steps = choose(self.validation.accuracy, self.costs, members)
            values = [
                area(
                    steps,
                    accuracy,
                    guessing=self.study.guess_accuracy,
                    ceiling=self.study.cost_ceiling,
                )
                for accuracy in (self.reported.accuracy, draws)
            ]
            low, high = np.quantile(values[1], tails)
            found[group] = Interval(value=float(values[0]), low=float(low), high=float(high))
        return found

    def sentences(self) -> list[str]:
        """What the comparisons say, at three budgets each."""
        return [said for each in self.comparisons for said in self.sentences_of(each)]

    def sentences_of(self, difference: FamilyDifference) -> list[str]:
        """What one of the comparisons says, the smallest budget first."""
        return sentences(
            difference,
            self.study.cost.shortly,
            {group: group for group in difference.families},
            self.readings if self.is_tested else None,
        )

    def means(self) -> list[TrialRecord]:
        """Every network that is not off the front, as the trial it repeats, with the mean of fresh
        validation as accuracy.

        For `runs.winners`: what a search may have owed to luck is not in it.
        """
        return [
            replace(
                network.parent,
                state=State.COMPLETE,
                error=None,
                accuracy=float(accuracy),
                loss=fmean(trial.loss for trial in network.complete if trial.loss is not None),
            )
            for network, accuracy, mark in zip(
                self.networks, self.validation.accuracy, self.memberships, strict=True
            )
            if mark is not Membership.OFF
        ]

    def behind(self, mean: TrialRecord) -> tuple[TrialRecord, list[TrialRecord], dict[str, Any]]:
        """Of a record that `means` gave: as a record of its fresh seeds, their trials, and what was
        confirmed of it."""
        i = next(i for i, n in enumerate(self.networks) if n.parent.number == mean.number)
        accuracy, network = self.accuracies[i], self.networks[i]
        facts = {
            "accuracy": accuracy.value,
            "low": accuracy.low,
            "high": accuracy.high,
            "level": self.level,
            "accuracy_split": "test" if self.is_tested else "validation",
            "test_readings": self.readings or 0,
            "front": self.memberships[i].value,
            "search_accuracy": network.parent.accuracy,
        }
        return replace(mean, origin=Origin.CONFIRMATION), list(network.trials), facts

    @cached_property
    def members(self) -> dict[str, list[int]]:
        """Indices by group, what was searched first, in the order of the study's families."""
        found: dict[str, list[int]] = {}
        order = sorted(
            range(len(self.networks)),
            key=lambda i: (
                self.networks[i].parent.origin is not Origin.SEARCH,
                _place(self.networks[i].parent.family, self.study.families),
            ),
        )
        for i in order:
            found.setdefault(self.groups[i], []).append(i)
        return {group: sorted(members) for group, members in found.items()}


def read_confirmed(
    store: Reader, study: str, number: int | None = None, *, level: float | None = None
) -> Confirmed:
    """A confirmation and all that is known of it.

    Args:
        store: the database.
        study: its name.
        number: of the confirmation; None for the newest.
        level: of intervals; None for what was asked for when it began.

    Raises:
        UnknownStudyError: there is no such study.
        ConfirmationError: it has no confirmation, or none of two trainings of a configuration yet.
    """
    record = _record(store, study, number)
    found = store.study(study)
    networks = networks_of(
        record.plan, store.trials(study), [r.plan for r in store.confirmations(study)]
    )
    results = {split: store.image_results(study, split) for split in ("validation", "test")}
    judged = [
        network
        for network in networks
        if not network.has_failed
        and sum(t.number in results["validation"] for t in network.complete) >= FEWEST_SEEDS
    ]
    if not judged:
        raise ConfirmationError(_nothing_judged(study, networks))
    judged.sort(key=lambda n: (n.parent.cost(found.cost) or 0.0, n.parent.number))
    judged = [
        replace(n, trials=tuple(t for t in n.complete if t.number in results["validation"]))
        for n in judged
    ]
    right = {"validation": [_right(n.trials, results["validation"]) for n in judged]}
    is_tested = all(t.number in results["test"] for n in judged for t in n.trials)
    readings = store.study_readings(study)
    if is_tested:
        right["test"] = [_right(n.trials, results["test"]) for n in judged]
    return Confirmed(
        study=found,
        record=record,
        networks=tuple(judged),
        failed=tuple(n for n in networks if n.has_failed),
        right=right,
        readings=len(store.test_readings(readings[-1].test_digest)) if is_tested else None,
        level=float(record.plan["level"]) if level is None else level,
    )


def find_confirmed(store: Reader, study: str) -> Confirmed | None:
    """The newest confirmation of a study; None where there is none to speak of.

    Raises:
        UnknownStudyError: there is no such study.
    """
    store.study(study)
    try:
        return read_confirmed(store, study)
    except ConfirmationError:
        return None


def of_kind(store: Reader, study: str, kind: str) -> list[ConfirmationRecord]:
    """The confirmations of a study that are of a kind, `front` or `repeats`, the oldest first."""
    return [record for record in store.confirmations(study) if record.plan.get("kind") == kind]


def _record(store: Reader, study: str, number: int | None) -> ConfirmationRecord:
    kept = of_kind(store, study, "front")
    if number is not None:
        kept = [c for c in kept if c.number == number]
    if not kept:
        which = "no confirmation" if number is None else f"no confirmation {number}"
        raise ConfirmationError(
            f"study {study!r} has {which}; make one: python -m search.confirm --study {study}"
        )
    return kept[-1]


def _nothing_judged(study: str, networks: Sequence[Network]) -> str:
    """Why a confirmation says nothing yet, and what to do."""
    command = f"python -m search.confirm --study {study}"
    failed = [t for n in networks for t in n.trials if t.state is State.FAILED]
    if not failed:
        return (
            f"no configuration of study {study!r} has two trainings with fresh seeds yet; train "
            f"them: {command}"
        )
    return (
        f"{len(failed)} trainings of study {study!r} with fresh seeds failed (trial "
        f"{failed[0].number}: {failed[0].error}), and no configuration has two that ended well; "
        f"train them again: {command} --retry-failed"
    )


def _right(trials: Sequence[TrialRecord], results: dict[int, ImageResults]) -> Any:
    """(seeds, images) booleans."""
    return np.stack(
        [unpacked(results[t.number].right, results[t.number].num_images) for t in trials]
    )


def _place(family: str, families: Sequence[str]) -> int:
    return families.index(family) if family in families else len(families)
