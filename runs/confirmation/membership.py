"""Who is on a front when accuracies are uncertain and costs exact.

A configuration is on the front if its accuracy exceeds that of every other of at most its cost; of
several that tie exactly at equal cost each counts for its part. Its support is the share of joint
draws in which that is so. Support is low in the middle, since a maximum of uncertain rivals is too
high: so what is published is *on*, *off* or *undecided*.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from runs.confirmation.image_results import Floats, Ints

ON, OFF = 0.95, 0.05


class Membership(StrEnum):
    """What a support says of a configuration's place on the front."""

    ON = "on"
    OFF = "off"
    UNDECIDED = "undecided"


def memberships(support: Floats) -> list[Membership]:
    """*on* from 0.95, *off* to 0.05."""
    return [
        Membership.ON if s >= ON else Membership.OFF if s <= OFF else Membership.UNDECIDED
        for s in support
    ]


def support(draws: Floats, cost: npt.ArrayLike) -> Floats:
    """(m,) share of the draws in which each is on the front.

    Args:
        draws: (draws, m) accuracies.
        cost: (m,) exact; the rivals of a configuration are all others of at most its cost.
    """
    costs = np.asarray(cost, dtype=np.float64)
    shares = np.empty(len(costs))
    for group, cheaper, _ in _by_cost(draws, costs):
        best = draws[:, group].max(axis=1)
        tied = draws[:, group] == best[:, None]
        above = tied & (best > cheaper)[:, None]
        shares[group] = (above / tied.sum(axis=1)[:, None]).mean(axis=0)
    return shares


def record_shares(draws: Floats, cost: npt.ArrayLike) -> Floats:
    """(m, m) share of the draws in which the best rival of i is j; a row without rivals is 0.

    The best rival of a configuration is the record that it has to beat: the most accurate of all
    others of at most its cost.
    """
    costs = np.asarray(cost, dtype=np.float64)
    shares = np.zeros((len(costs), len(costs)))
    for group, cheaper, record in _by_cost(draws, costs):
        for i in group:
            others = group[group != i]
            rival, value = record, cheaper
            if len(others):
                first = draws[:, others].argmax(axis=1)
                in_group = np.take_along_axis(draws[:, others], first[:, None], 1)[:, 0]
                rival = np.where(in_group > value, others[first], record)
            shares[i] = np.bincount(rival[rival >= 0], minlength=len(costs)) / len(draws)
    return shares


def _by_cost(draws: Floats, costs: Floats) -> Iterator[tuple[Ints, Floats, Ints]]:
    """The configurations of one cost after the other, cheapest first, and what they have to beat:
    in each draw the best accuracy of all cheaper ones, and whose it is (-1 where there is none)."""
    cheaper = np.full(len(draws), -np.inf)
    record = np.full(len(draws), -1)
    for value in np.unique(costs):
        group = np.flatnonzero(costs == value)
        yield group, cheaper, record
        first = draws[:, group].argmax(axis=1)
        best = np.take_along_axis(draws[:, group], first[:, None], 1)[:, 0]
        record = np.where(best > cheaper, group[first], record)
        cheaper = np.maximum(best, cheaper)


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """Which configurations of a search a confirmation trains again, frozen before the first one."""

    probability: Floats
    """(m,) of being on the front of its family, by the evidence of the search."""
    chosen: Ints
    """Indices, the most probable first, at most so many a family."""
    left_out: Ints
    """Indices of all others that may be on a front, the most probable first."""


def candidates(
    mean: Floats,
    deviation: Floats,
    cost: npt.ArrayLike,
    family: Sequence[str],
    rng: np.random.Generator,
    *,
    limit: int = 12,
    least: float = 0.01,
    num_draws: int = 4000,
) -> Candidates:
    """The configurations most likely to be members of their family's front.

    Args:
        mean: (m,) posterior mean of each accuracy, on any scale that rises with it.
        deviation: (m,) its posterior deviation, on the same scale; independent of each other.
        cost: (m,) exact.
        family: (m,) names; a configuration has rivals in its own family alone.
        limit: the most a family.
        least: who is on the front with less probability is neither chosen nor said to be left out.
    """
    costs, families = np.asarray(cost, dtype=np.float64), np.asarray(family)
    probability = np.zeros(len(costs))
    taken: list[Ints] = []
    left: list[Ints] = []
    for name in dict.fromkeys(family):
        members = np.flatnonzero(families == name)
        draws = rng.normal(mean[members], deviation[members], (num_draws, len(members)))
        probability[members] = support(draws, costs[members])
        ranked = members[np.argsort(-probability[members], kind="stable")]
        ranked = ranked[probability[ranked] >= least]
        taken.append(ranked[:limit])
        left.append(ranked[limit:])
    return Candidates(
        probability=probability,
        chosen=_ranked(np.concatenate(taken), probability),
        left_out=_ranked(np.concatenate(left), probability),
    )


def _ranked(indices: Ints, probability: Floats) -> Ints:
    return indices[np.argsort(-probability[indices], kind="stable")]
