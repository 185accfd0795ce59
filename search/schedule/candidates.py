"""What a sampler that knows the cost chooses from: members of a space with their FLOPs.

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
Positions = npt.NDArray[np.int64]

ENUMERABLE = 20_000
"""Spaces up to this size are listed."""

_DRAWS = 4_000
"""From a larger space, for one choice."""

_ENOUGH = 1_000
"""Of those that are under the ceiling."""

_ROUNDS = 20
"""Of draws, where few of them are."""


@dataclass(frozen=True, eq=False)
class Members:
    """Some members of a space, a row each."""

    positions: Positions
    """Of the choices, a column a parameter."""
    features: Floats
    """What a model of the accuracy sees: every parameter, then log FLOPs, in [0, 1]."""
    log_flops: Floats
    """log10 FLOPs."""

    def __len__(self) -> int:
        return len(self.log_flops)

    def where(self, chosen: npt.NDArray[np.bool_]) -> Members:
        """Some of them."""
        return Members(self.positions[chosen], self.features[chosen], self.log_flops[chosen])


class CandidateSpace:
    """All that may be proposed: a product of choices, and what each member costs.

    Args:
        space: parameter name to Optuna's distribution: integers with a step, or categories that
            lie in order.
        flops: the parameters of a member to its FLOPs.
        max_flops: dearer members are no candidates.
        scales: parameter name to numbers, one a choice, that say how far choices lie apart. By
            default log2 of the choices where they are positive numbers, else their positions.

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
        self._scales = [
            _unit(np.asarray((scales or {}).get(name, _natural_scale(choices)), dtype=np.float64))
            for name, choices in self._choices.items()
        ]
        self._sizes = [len(choices) for choices in self._choices.values()]

    def params(self, positions: npt.NDArray[np.int64]) -> dict[str, Any]:
        """The parameters of one member."""
        pairs = zip(self._choices.items(), positions.tolist(), strict=True)
        return {name: choices[i] for (name, choices), i in pairs}

    def positions(self, params: Mapping[str, Any]) -> tuple[int, ...] | None:
        """Where a member lies; None if the space has no such member."""
        try:
            return tuple(choices.index(params[name]) for name, choices in self._choices.items())
        except (KeyError, ValueError):
            return None

    def members(self, positions: Positions) -> Members:
        """Those at the given positions, whatever they cost."""
        return self._described(positions, self._cost(positions))

    def _cost(self, positions: Positions) -> Floats:
        """log10 FLOPs.

        Raises:
            ValueError: somebody has none.
        """
        costs = [self._flops(self.params(row)) for row in positions]
        flops = np.asarray(costs, dtype=np.float64).reshape(len(positions))
        if not (flops > 0).all():
            i = int(np.argmin(flops > 0))
            params = self.params(positions[i])
            raise ValueError(f"{params} has {flops[i]:g} FLOPs; every member must have some")
        return np.asarray(np.log10(flops))

    def _described(self, positions: Positions, log_flops: Floats) -> Members:
        columns = [scale[positions[:, i]] for i, scale in enumerate(self._scales)]
        low, high = self._extent
        columns.append((log_flops - low) / max(high - low, 1e-3))
        return Members(positions, np.stack(columns, axis=1), log_flops)

    def choose_from(self, good: Positions, rng: np.random.Generator) -> Members:
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
        positions, first = np.unique(
            np.concatenate([found for found, _ in rounds]), axis=0, return_index=True
        )
        if not len(positions):
            raise ValueError(self._over_the_ceiling())
        return self._described(positions, np.concatenate([costs for _, costs in rounds])[first])

    def _affordable(self, positions: Positions) -> tuple[Positions, Floats]:
        """Those under the ceiling, and their log10 FLOPs."""
        log_flops = self._cost(positions)
        affordable = log_flops <= self._log_ceiling
        return positions[affordable], log_flops[affordable]

    def _at_random(self, rng: np.random.Generator) -> Positions:
        return rng.integers(0, self._sizes, size=(_DRAWS, len(self._sizes)))

    @cached_property
    def _listed(self) -> tuple[Positions, Floats] | None:
        """Every member under the ceiling and its log10 FLOPs; None if there are too many."""
        if np.prod(np.asarray(self._sizes, dtype=np.float64)) > ENUMERABLE:
            return None
        found = self._affordable(np.array(list(itertools.product(*map(range, self._sizes)))))
        if not len(found[0]):
            raise ValueError(self._over_the_ceiling())
        return found

    @cached_property
    def _all(self) -> Members | None:
        return None if self._listed is None else self._described(*self._listed)

    @cached_property
    def _extent(self) -> tuple[float, float]:
        """log10 FLOPs of the cheapest and the dearest candidate, of a large space about."""
        if self._listed is not None:
            _, log_flops = self._listed
        else:
            ends = np.array([np.zeros_like(self._sizes), np.array(self._sizes) - 1])
            some = self._at_random(np.random.default_rng(0))
            log_flops = np.minimum(self._cost(np.concatenate([ends, some])), self._log_ceiling)
        return float(log_flops.min()), float(log_flops.max())

    def _over_the_ceiling(self) -> str:
        return (
            f"max_flops {self.max_flops:,.0f}: no member found has so few FLOPs; raise it, or "
            "allow smaller networks"
        )


def _choices(name: str, given: BaseDistribution) -> list[Any]:
    if isinstance(given, CategoricalDistribution):
        return list(given.choices)
    if isinstance(given, IntDistribution):
        return list(range(given.low, given.high + 1, given.step))
    raise ValueError(
        f"parameter {name!r} is {given}; this sampler chooses among integers and categories"
    )


def _natural_scale(choices: Sequence[Any]) -> Sequence[float]:
    if all(isinstance(c, int | float) and not isinstance(c, bool) and c > 0 for c in choices):
        return [float(np.log2(choice)) for choice in choices]
    return range(len(choices))


def _unit(scale: Floats) -> Floats:
    return np.asarray((scale - scale.min()) / max(float(np.ptp(scale)), 1e-9))


def _unit_steps(axis: int, count: int) -> list[list[int]]:
    return [[sign * (i == axis) for i in range(count)] for sign in (-1, 1)]
