"""The search space: ranges as data that can be read, printed, narrowed and counted."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Annotated, Any

import pydantic
from pydantic import Field, PositiveInt

from space.config import Frozen, ImageTask, MixerConfig, divisors
from space.costs import FLOPS, Cost
from space.errors import ConfigError

Choices = Annotated[tuple[PositiveInt, ...], Field(min_length=1)]

_WHAT_A_RANGE_IS = "a range is a list of whole numbers, or a table of low, high and maybe step"


class Ranges(Frozen):
    """What a study file says of its search space: any of the ranges, the others left to fit.

    A range is a list of values, kept ascending and once each, or `{low = 64, high = 256,
    step = 64}`.
    """

    patch_size: Choices | None = None
    hidden_dim: Choices | None = None
    tokens_mlp_dim: Choices | None = None
    channels_mlp_dim: Choices | None = None
    num_blocks: Choices | None = None

    @pydantic.field_validator("*", mode="before")
    @classmethod
    def _expand(cls, given: Any) -> Any:
        if given is None:
            return None
        if isinstance(given, dict):
            given = _expand_range(given)
        if not isinstance(given, list | tuple) or any(type(value) is not int for value in given):
            raise ValueError(_WHAT_A_RANGE_IS)
        return tuple(sorted(set(given)))

    def fitted(self, task: ImageTask) -> SearchSpace:
        """The search space for these images, what was left open filled in.

        Raises:
            ConfigError: a patch size does not tile the images.
        """
        open_ranges = fitting_space(task.image_size).model_dump()
        space = SearchSpace(**(open_ranges | self.model_dump(exclude_none=True)))
        allowed = divisors(task.image_size)
        wrong = [p for p in space.patch_size if p not in allowed]
        if wrong:
            raise ConfigError(
                f"space.patch_size: {wrong[0]} does not tile images of {task.image_size} pixels; "
                f"use some of {', '.join(map(str, allowed))}"
            )
        return space


class SearchSpace(Frozen):
    """The values each Mixer hyperparameter may take; the space is their product."""

    patch_size: Choices
    hidden_dim: Choices
    tokens_mlp_dim: Choices
    channels_mlp_dim: Choices
    num_blocks: Choices

    @property
    def ranges(self) -> dict[str, tuple[int, ...]]:
        """Parameter name to its values, in the order they are drawn."""
        return {name: getattr(self, name) for name in type(self).model_fields}

    @property
    def size(self) -> int:
        """How many configurations there are."""
        return math.prod(len(values) for values in self.ranges.values())

    def member(self, task: ImageTask, **values: int) -> MixerConfig:
        """The configuration with these parameters."""
        return MixerConfig.model_validate(task.model_dump() | values)

    def members(self, task: ImageTask) -> Iterator[MixerConfig]:
        """Every configuration, the first parameter varying slowest."""
        names = list(self.ranges)
        for values in itertools.product(*self.ranges.values()):
            yield self.member(task, **dict(zip(names, values, strict=True)))

    def cheapest(self, task: ImageTask, cost: Cost = FLOPS) -> MixerConfig:
        """The member with the fewest FLOPs, or of the least of another cost."""
        return min(self._corners(task, lowest=True), key=cost)

    def most_expensive(self, task: ImageTask, cost: Cost = FLOPS) -> MixerConfig:
        """The member with the most FLOPs, or of the most of another cost."""
        return max(self._corners(task, lowest=False), key=cost)

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
            narrowed = self.model_copy(update={name: (value,)})
            return cost(narrowed.cheapest(task, cost)) <= max_cost

        return SearchSpace(
            **{
                name: tuple(value for value in values if affordable(name, value))
                for name, values in self.ranges.items()
            }
        )

    def _corners(self, task: ImageTask, *, lowest: bool) -> list[MixerConfig]:
        # Costs grow with every parameter but the patch size, so one corner a patch size suffices
        end = 0 if lowest else -1
        rest = {name: values[end] for name, values in self.ranges.items() if name != "patch_size"}
        return [self.member(task, patch_size=p, **rest) for p in self.patch_size]


def fitting_space(image_size: int) -> SearchSpace:
    """A space for images of that size: patches that divide it into 16 to 256 tokens.

    Where no divisor gives that many tokens (a prime size, say), the nearest that do.
    """
    tokens = {p: (image_size // p) ** 2 for p in divisors(image_size)}
    patches = tuple(p for p, count in tokens.items() if 16 <= count <= 256)
    if not patches:
        patches = (min(tokens, key=lambda p: abs(math.log(tokens[p] / 64))),)
    small = image_size <= 16
    return SearchSpace(
        patch_size=patches,
        hidden_dim=(16, 32, 48, 64, 96, 128) if small else (32, 64, 96, 128, 192, 256),
        tokens_mlp_dim=(8, 16, 32, 64) if small else (16, 32, 64, 128, 256),
        channels_mlp_dim=(32, 64, 128, 256) if small else (64, 128, 256, 512, 1024),
        num_blocks=(1, 2, 3, 4, 6) if small else (2, 4, 6, 8, 10, 12),
    )


def _expand_range(given: dict[str, Any]) -> tuple[int, ...]:
    unknown = set(given) - {"low", "high", "step"}
    if unknown or not {"low", "high"} <= set(given):
        raise ValueError(_WHAT_A_RANGE_IS)
    low, high, step = given["low"], given["high"], given.get("step", 1)
    if not all(type(value) is int for value in (low, high, step)) or low < 1 or step < 1:
        raise ValueError("low, high and step are positive whole numbers")
    if high < low:
        raise ValueError(f"the range is empty, low={low} is above high={high}; exchange them")
    return tuple(range(low, high + 1, step))
