"""The configurations that a study has not tried yet, to be drawn at random."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from functools import lru_cache

from space.config import Config, ImageTask
from space.costs import FLOPS, Cost
from space.ranges import Values
from space.search_space import SearchSpace

ENUMERABLE = 50_000
"""Spaces up to this size are listed; from larger ones that many draws are made."""

_DRAWS = 100
"""Before the list is searched for what is left."""


class Untried:
    """Draws members of a space that are under a ceiling, the same for the same history.

    Args:
        space: where to draw from.
        task: of the images.
        max_flops: of one image, forward.
        cost: what the study minimises, where that is not FLOPs.
        max_cost: of that.
        seed: of the study.
        tried: what the study has tried, baselines too.
    """

    def __init__(
        self,
        space: SearchSpace,
        task: ImageTask,
        *,
        max_flops: float,
        cost: Cost = FLOPS,
        max_cost: float = math.inf,
        seed: int,
        tried: Iterable[Config] = (),
    ) -> None:
        self._space = space
        self._task = task
        self._limits = max_flops, cost, max_cost
        self._seed = seed
        self._allowed = _members_under(space, task, *self._limits)
        self._left = set(self._allowed or ())
        self._tried: set[Config] = set()
        for config in tried:
            self.remove(config)

    def __contains__(self, config: Config) -> bool:
        """Whether a configuration has not been tried, whatever it costs."""
        return config not in self._tried

    @property
    def count(self) -> int | None:
        """How many members are under the ceiling, tried ones too; None of a space not listed."""
        return None if self._allowed is None else len(self._allowed)

    @property
    def none_left(self) -> bool:
        """Whether all that may be tried has been; False of a space not listed."""
        return self._allowed is not None and not self._left

    def remove(self, config: Config) -> None:
        """It is tried now."""
        self._tried.add(config)
        if config.family == self._space.family:
            values = tuple(getattr(config, name) for name in self._space.ranges)
            if values in self._left and self._member(values) == config:
                self._left.remove(values)

    def draw(self) -> Config | None:
        """One that has not been tried; None when none is left, or none is found."""
        rng = random.Random(f"{self._seed}/{len(self._tried)}")
        if self._allowed is None:
            ranges = self._space.ranges.values()
            for _ in range(ENUMERABLE):
                values = tuple(rng.choice(choices) for choices in ranges)
                if self._may_be(values):
                    config = self._member(values)
                    if config in self:
                        return config
            return None
        for _ in range(_DRAWS if self._allowed else 0):
            values = rng.choice(self._allowed)
            if values in self._left:
                return self._member(values)
        left = [values for values in self._allowed if values in self._left]
        return self._member(rng.choice(left)) if left else None

    def _may_be(self, values: Values) -> bool:
        is_under = _is_under(self._space, self._task, *self._limits)
        return self._space.holds(values) and is_under(values)

    def _member(self, values: Values) -> Config:
        return self._space.member(self._task, **dict(zip(self._space.ranges, values, strict=True)))


@lru_cache(maxsize=4)  # a study's start asks how many there are, and then draws from them
def _members_under(
    space: SearchSpace, task: ImageTask, max_flops: float, cost: Cost, max_cost: float
) -> list[Values] | None:
    """The members under the ceilings, the first parameter varying slowest; None if too many."""
    if space.product_size > ENUMERABLE:
        return None
    return list(filter(_is_under(space, task, max_flops, cost, max_cost), space.values()))


def _is_under(
    space: SearchSpace, task: ImageTask, max_flops: float, cost: Cost, max_cost: float
) -> Callable[[Values], bool]:
    """Whether a member is under the ceilings."""

    def is_under(values: Values) -> bool:
        if space.flops(task, values) > max_flops:
            return False
        return cost is FLOPS or space.cost_of(task, values, cost) <= max_cost

    return is_under
