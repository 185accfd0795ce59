"""Configurations drawn at random from those a study may still try."""

from __future__ import annotations

import random
from collections.abc import Set
from functools import cached_property

from space.config import Config, ImageTask, MixerConfig
from space.cost import cost
from space.search_space import SearchSpace

ENUMERABLE = 50_000
"""Spaces up to this size are listed; of larger ones that many draws are made."""

_DRAWS = 100
"""Before the list is searched for what is left."""


class Untried:
    """Draws members of a space that are under a ceiling, the same for the same history.

    Args:
        space: where to draw from.
        task: of the images.
        max_flops: of one image, forward.
        seed: of the study.
    """

    def __init__(self, space: SearchSpace, task: ImageTask, *, max_flops: int, seed: int) -> None:
        self._space = space
        self._task = task
        self._max_flops = max_flops
        self._seed = seed

    def draw(self, tried: Set[Config]) -> MixerConfig | None:
        """One that is not among `tried`; None when none is left, or none is found."""
        rng = random.Random(f"{self._seed}/{len(tried)}")
        if self._space.size > ENUMERABLE:
            for _ in range(ENUMERABLE):
                config = self._at_random(rng)
                if config not in tried and cost(config).flops <= self._max_flops:
                    return config
            return None
        for _ in range(_DRAWS if self._allowed else 0):
            config = rng.choice(self._allowed)
            if config not in tried:
                return config
        left = [config for config in self._allowed if config not in tried]
        return rng.choice(left) if left else None

    @property
    def count(self) -> int | None:
        """How many there are, tried ones too; None where there are too many to list."""
        return None if self._space.size > ENUMERABLE else len(self._allowed)

    def none_left(self, tried: Set[Config]) -> bool:
        """Whether all that may be tried has been; False where there is too much to list."""
        if self._space.size > ENUMERABLE:
            return False
        return all(config in tried for config in self._allowed)

    def _at_random(self, rng: random.Random) -> MixerConfig:
        values = {name: rng.choice(choices) for name, choices in self._space.ranges.items()}
        return self._space.member(self._task, **values)

    @cached_property
    def _allowed(self) -> list[MixerConfig]:
        members = self._space.members(self._task)
        return [config for config in members if cost(config).flops <= self._max_flops]
