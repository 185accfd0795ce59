"""What a sampler that knows the cost chooses from: members of a space, by index, with their FLOPs.

A small space is listed whole; of a large one members are drawn anew for every choice, with the
neighbours of those that are good so far.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
"""Of members of a space, a row each: which choice of every parameter, a column a parameter."""

ENUMERABLE = 20_000
"""Spaces up to this size are listed."""

_DRAWS = 4_000
"""From a larger space, for one choice."""

_ENOUGH = 1_000
"""Of those that are under the ceiling."""

_ROUNDS = 20
"""Of draws, where few of them are."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Some members of a space, a row each."""

    indices: Indices
    features: Floats
    """What a model of the accuracy sees: every parameter, then log FLOPs, in [0, 1]."""
    log_flops: Floats
    """log10 FLOPs."""

    def __len__(self) -> int:
        return len(self.log_flops)

    def where(self, chosen: npt.NDArray[np.bool_]) -> Candidates:
        """Some of them."""
        return Candidates(self.indices[chosen], self.features[chosen], self.log_flops[chosen])


class CandidateSpace:
    """All that may be proposed: a product of choices, and what each member costs.

    Args:
        space: parameter name to Optuna's distribution: integers with a step, or categories that
            lie in order.
        flops: the parameters of a member to its FLOPs, or to another cost that is minimised;
            infinite where they make no network, or are to be no candidate.
        max_flops: more expensive members are no candidates.
        scales: parameter name to numbers, one a choice, that say how far choices lie apart. By
            default log2 of the choices where they are positive numbers, else their indices.

    Raises:
        ValueError: a parameter is continuous; later, where FLOPs are asked for: a member's are
            not positive, or no member is under the ceiling.
    """

    def __init__(
        self,
        space: Mapping[str, BaseDistribution],
        flops: Callable[[Mapping[str, Any]], float],
        *,
        max_flops: float = np.inf,
        scales: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        self.distributions = dict(space)
        self._flops = flops
        self.max_flops = max_flops
        self._log_ceiling = float(np.log10(max_flops)) + 1e-12  # what lies at it is under it
        self._choices = {name: _choices(name, given) for name, given in space.items()}
        self._given_scales = {
            name: np.asarray((scales or {}).get(name, _natural_scale(choices)), dtype=np.float64)
            for name, choices in self._choices.items()
        }
        self._scales = [_unit(scale, scale) for scale in self._given_scales.values()]
        self._sizes = [len(choices) for choices in self._choices.values()]
        self._known: dict[tuple[int, ...], float] = {}
        """log10 FLOPs of the members that were asked for by index."""

    def params(self, index: Indices) -> dict[str, Any]:
        """The parameters of one member."""
        pairs = zip(self._choices.items(), index.tolist(), strict=True)
        return {name: choices[i] for (name, choices), i in pairs}

    def index_of(self, params: Mapping[str, Any]) -> tuple[int, ...] | None:
        """The index of a member; None if the space has no such member."""
        try:
            return tuple(choices.index(params[name]) for name, choices in self._choices.items())
        except (KeyError, ValueError):
            return None

    def members(self, indices: Sequence[tuple[int, ...]]) -> Candidates:
        """Those of the given indices, whatever they cost; the cost of each is worked out once."""
        new = [index for index in dict.fromkeys(indices) if index not in self._known]
        rows = np.array(new, dtype=np.int64).reshape(len(new), len(self._sizes))
        self._known.update(zip(new, self._log_flops(rows), strict=True))
        log_flops = np.array([self._known[index] for index in indices], dtype=np.float64)
        rows = np.array(indices, dtype=np.int64).reshape(len(indices), len(self._sizes))
        return self._described(rows, log_flops)

    def _log_flops(self, indices: Indices) -> Floats:
        """log10 FLOPs.

        Raises:
            ValueError: a member has none.
        """
        costs = [self._flops(self.params(index)) for index in indices]
        flops = np.asarray(costs, dtype=np.float64).reshape(len(indices))
        if not (flops > 0).all():
            i = int(np.argmin(flops > 0))
            params = self.params(indices[i])
            raise ValueError(f"{params} has {flops[i]:g} FLOPs; every member must have some")
        return np.asarray(np.log10(flops))

    def _described(self, indices: Indices, log_flops: Floats) -> Candidates:
        columns = [scale[indices[:, i]] for i, scale in enumerate(self._scales)]
        columns.append(self._unit_cost(log_flops))
        return Candidates(indices, np.stack(columns, axis=1), log_flops)

    def features_of(self, places: Mapping[str, Floats], log_flops: Floats) -> Floats:
        """Features of what need not be members, such as trials of another space, a row each.

        Args:
            places: parameter name to where they lie, in the numbers of `scales`.
            log_flops: log10 FLOPs.

        Returns:
            Columns as `Candidates.features` has them, beyond [0, 1] where they lie beyond the
            space, and NaN for parameters that are not among the places.
        """
        unknown = np.full(len(log_flops), np.nan)
        columns = [
            _unit(places[name], scale) if name in places else unknown
            for name, scale in self._given_scales.items()
        ]
        return np.stack([*columns, self._unit_cost(log_flops)], axis=1)

    def _unit_cost(self, log_flops: Floats) -> Floats:
        low, high = self._extent
        return np.asarray((log_flops - low) / max(high - low, 1e-3))

    def candidate_pool(self, good: Indices, rng: np.random.Generator) -> Candidates:
        """The candidates for one choice, none of them over the ceiling.

        Args:
            good: members whose neighbours are worth a look, where not all members are looked at.
            rng: of the draws.
        """
        if self._all is not None:
            return self._all
        steps = [step for i in range(len(self._sizes)) for step in _unit_steps(i, len(self._sizes))]
        near = (good[:, None, :] + np.array(steps)).reshape(-1, len(self._sizes))
        near = near[((near >= 0) & (near < self._sizes)).all(axis=1)]
        rounds = [self._affordable(np.unique(near, axis=0))]
        for _ in range(_ROUNDS):
            rounds.append(self._affordable(self._at_random(rng)))
            if sum(len(found) for found, _ in rounds[1:]) >= _ENOUGH:
                break
        indices, first = np.unique(
            np.concatenate([found for found, _ in rounds]), axis=0, return_index=True
        )
        if not len(indices):
            raise ValueError(self._over_the_ceiling())
        return self._described(indices, np.concatenate([costs for _, costs in rounds])[first])

    def _affordable(self, indices: Indices) -> tuple[Indices, Floats]:
        """Those under the ceiling, and their log10 FLOPs."""
        log_flops = self._log_flops(indices)
        affordable = (log_flops <= self._log_ceiling) & np.isfinite(log_flops)
        return indices[affordable], log_flops[affordable]

    def _at_random(self, rng: np.random.Generator) -> Indices:
        return rng.integers(0, self._sizes, size=(_DRAWS, len(self._sizes)))

    @cached_property
    def _listed(self) -> tuple[Indices, Floats] | None:
        """Every member under the ceiling and its log10 FLOPs; None if there are too many."""
        if np.prod(np.asarray(self._sizes, dtype=np.float64)) > ENUMERABLE:
            return None
        found = self._affordable(np.array(list(itertools.product(*map(range, self._sizes)))))
        if not len(found[0]):
            raise ValueError(self._over_the_ceiling())
        return found

    @cached_property
    def _all(self) -> Candidates | None:
        return None if self._listed is None else self._described(*self._listed)

    @cached_property
    def _extent(self) -> tuple[float, float]:
        """log10 FLOPs of the cheapest and the most expensive candidate; of a large space about."""
        if self._listed is not None:
            _, log_flops = self._listed
        else:
            ends = np.array([np.zeros_like(self._sizes), np.array(self._sizes) - 1])
            some = self._at_random(np.random.default_rng(0))
            log_flops = self._log_flops(np.concatenate([ends, some]))
            log_flops = np.minimum(log_flops[np.isfinite(log_flops)], self._log_ceiling)
        return float(log_flops.min()), float(log_flops.max())

    def _over_the_ceiling(self) -> str:
        return (
            f"max_flops {self.max_flops:,.0f}: no member found has so few FLOPs; raise it, or "
            "allow smaller networks"
        )


def _choices(name: str, given: BaseDistribution) -> Sequence[Any]:
    if isinstance(given, CategoricalDistribution):
        return list(given.choices)
    if isinstance(given, IntDistribution):
        return range(given.low, given.high + 1, given.step)
    raise ValueError(
        f"parameter {name!r} is {given}; this sampler chooses among integers and categories"
    )


def _natural_scale(choices: Sequence[Any]) -> Sequence[float]:
    if all(isinstance(c, int | float) and not isinstance(c, bool) and c > 0 for c in choices):
        return [float(np.log2(choice)) for choice in choices]
    return range(len(choices))


def _unit(places: Floats, scale: Floats) -> Floats:
    """Where they lie between the ends of a scale, from 0 to 1; a scale of one number has a unit."""
    return np.asarray((places - scale.min()) / (float(np.ptp(scale)) or 1.0))


def _unit_steps(axis: int, count: int) -> list[list[int]]:
    return [[sign * (i == axis) for i in range(count)] for sign in (-1, 1)]
