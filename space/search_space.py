"""A search space: the ranges of a family, to be read, printed, narrowed and counted."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from space.config import Config, ImageTask, divisors
from space.cost import cost as bill_of
from space.costs import FLOPS, Cost
from space.errors import ConfigError
from space.families import find_family
from space.family import Family
from space.ranges import Ranges, Values


@dataclass(frozen=True)
class SearchSpace:
    """The values each parameter of a family may take; the members are those of their product that
    are networks."""

    family: str
    ranges: Mapping[str, Values]
    """Parameter name to its values, ascending, in the order they are drawn."""

    def __hash__(self) -> int:
        return hash((self.family, *self.ranges.items()))

    @property
    def product_size(self) -> int:
        """How many combinations of values there are, those that are no network too."""
        return math.prod(len(values) for values in self.ranges.values())

    @property
    def size(self) -> int:
        """How many members there are."""
        constraint = self._family.constraint
        if constraint is None:
            return self.product_size
        allowed = sum(1 for _ in SearchSpace(self.family, self._only(constraint.names)).values())
        free = [len(v) for name, v in self.ranges.items() if name not in constraint.names]
        return math.prod(free) * allowed

    def values(self) -> Iterator[Values]:
        """The parameters of every member, the first varying slowest."""
        combinations = itertools.product(*self.ranges.values())
        return combinations if self._family.constraint is None else filter(self.holds, combinations)

    def holds(self, values: Values) -> bool:
        """Whether these parameters make a network."""
        constraint = self._family.constraint
        if constraint is None:
            return True
        named = dict(zip(self.ranges, values, strict=True))
        return constraint.holds(**{name: named[name] for name in constraint.names})

    def nearest(self, values: Values) -> Values:
        """The parameters of the member that is the fewest steps along the ranges away.

        Raises:
            ConfigError: the space has no member.
        """
        if self.holds(values):
            return values
        constraint = self._family.constraint
        assert constraint, "without one all combinations hold"
        given = dict(zip(self.ranges, values, strict=True))
        tied = SearchSpace(self.family, self._only(constraint.names))

        def steps(other: Values) -> int:
            pairs = zip(tied.ranges.items(), other, strict=True)
            return sum(abs(all_.index(value) - all_.index(given[n])) for (n, all_), value in pairs)

        nearest = min(tied.values(), key=steps, default=None)
        if nearest is None:
            raise self._is_empty()
        return tuple((given | dict(zip(tied.ranges, nearest, strict=True))).values())

    def member(self, task: ImageTask, **values: int) -> Config:
        """The configuration with these parameters."""
        family = self._family
        return family.config.model_validate(task.model_dump() | family.ranges.fixed | values)

    def members(self, task: ImageTask) -> Iterator[Config]:
        """Every configuration, the first parameter varying slowest."""
        for values in self.values():
            yield self.member(task, **dict(zip(self.ranges, values, strict=True)))

    def flops(self, task: ImageTask, values: Values) -> int:
        """Of the member with these parameters, without the configuration where that is quicker."""
        macs, named = self._family.macs, dict(zip(self.ranges, values, strict=True))
        return 2 * macs(task, **named) if macs else bill_of(self.member(task, **named)).flops

    def cost_of(self, task: ImageTask, values: Values, cost: Cost = FLOPS) -> float:
        """Of the member with these parameters."""
        return self.flops(task, values) if cost is FLOPS else cost(self._member(task, values))

    def cheapest(self, task: ImageTask, cost: Cost = FLOPS) -> Config:
        """The member with the fewest FLOPs, or with the least of another cost.

        Raises:
            ConfigError: the space has no member.
        """
        return self._member(task, min(self._corners(0), key=lambda v: self.cost_of(task, v, cost)))

    def most_expensive(self, task: ImageTask, cost: Cost = FLOPS) -> Config:
        """The member with the most FLOPs, or with the most of another cost.

        Raises:
            ConfigError: the space has no member.
        """
        return self._member(task, max(self._corners(-1), key=lambda v: self.cost_of(task, v, cost)))

    def within(self, task: ImageTask, max_cost: float, cost: Cost = FLOPS) -> SearchSpace:
        """The ranges without the values that no configuration under `max_cost` can have.

        Not every member of what is left is under it; no member under it is lost.

        Raises:
            ConfigError: no configuration of the space is under `max_cost`.
        """
        floor = cost(self.cheapest(task, cost))
        if floor > max_cost:
            raise ConfigError(
                f"no configuration of the space has at most {cost.exactly(max_cost)}; "
                f"the cheapest has {cost.exactly(floor)}: raise {cost.option} to that, or "
                "widen the space"
            )

        def affordable(name: str, value: int) -> bool:
            narrowed = replace(self, ranges={**self.ranges, name: (value,)})
            ends = narrowed._ends(0)
            return any(narrowed.cost_of(task, corner, cost) <= max_cost for corner in ends)

        return replace(
            self,
            ranges={
                name: tuple(value for value in values if affordable(name, value))
                for name, values in self.ranges.items()
            },
        )

    @property
    def _family(self) -> Family:
        return find_family(self.family)

    def _only(self, names: tuple[str, ...]) -> dict[str, Values]:
        return {name: values for name, values in self.ranges.items() if name in names}

    def _member(self, task: ImageTask, values: Values) -> Config:
        return self.member(task, **dict(zip(self.ranges, values, strict=True)))

    def _ends(self, end: int) -> Iterator[Values]:
        """Members of which one has the least cost (`end` 0), or the most (-1)."""
        monotone = self._family.grows_with
        ends = {
            name: (values[end],) if name in monotone else values
            for name, values in self.ranges.items()
        }
        return replace(self, ranges=ends).values()

    def _corners(self, end: int) -> list[Values]:
        corners = list(self._ends(end))
        if not corners:
            raise self._is_empty()
        return corners

    def _is_empty(self) -> ConfigError:
        assert self._family.constraint, "a product of ranges has members"
        names = " and ".join(self._family.constraint.names)
        return ConfigError(
            f"no values of {names} in the space go together in a {self._family.label}; "
            "widen their ranges"
        )


def fitted(family: str, ranges: Ranges, task: ImageTask) -> SearchSpace:
    """The search space for these images, what a study file left open filled in.

    Raises:
        ConfigError: a patch size does not tile the images, or no values go together.
    """
    space = SearchSpace(
        family, ranges.fitting(task.image_size) | ranges.model_dump(exclude_none=True)
    )
    allowed = divisors(task.image_size)
    wrong = [p for p in space.ranges.get("patch_size", ()) if p not in allowed]
    if wrong:
        raise ConfigError(
            f"space.patch_size: {wrong[0]} does not tile images of {task.image_size} pixels; "
            f"use some of {', '.join(map(str, allowed))}"
        )
    return space
