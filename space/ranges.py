"""The ranges a study file gives for a family's parameters, and what fits where it gives none."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

import pydantic
from pydantic import Field, PositiveInt

from space.config import Frozen, divisors

Values = tuple[int, ...]
Choices = Annotated[tuple[PositiveInt, ...], Field(min_length=1)]

_WHAT_A_RANGE_IS = "a range is a list of whole numbers, or a table of low, high and maybe step"


class Ranges(Frozen):
    """What a study file says of a family's search space: any of the ranges, the others left to fit.

    A subclass has a field `Choices | None = None` for every parameter, in the order they are
    drawn. A range is a list of values, kept ascending and once each, or `{low = 64, high = 256,
    step = 64}`.
    """

    fixed: ClassVar[dict[str, Any]] = {}
    """Fields of the configuration that a search leaves as they are here."""

    @classmethod
    def fitting(cls, image_size: int) -> dict[str, Values]:
        """The values of every parameter, ascending, that fit images of so many pixels a side."""
        raise NotImplementedError(f"{cls.__name__} has no ranges that fit")

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


def fitting_patches(image_size: int) -> Values:
    """The patch sizes that divide an image of that size into 16 to 256 tokens.

    Where no divisor gives that many tokens (a prime size, say), the nearest that do.
    """
    tokens = {p: (image_size // p) ** 2 for p in divisors(image_size)}
    patches = tuple(p for p, count in tokens.items() if 16 <= count <= 256)
    return patches or (min(tokens, key=lambda p: abs(math.log(tokens[p] / 64))),)


def ladder_shapes(image_size: int) -> Iterator[tuple[int, int, int]]:
    """Patch size, hidden dim and depth in the proportions that small networks are published with.

    For baselines: see `space.ladder`.
    """
    for patch_size in fitting_patches(image_size):
        for hidden_dim in (16, 32, 64, 96, 128, 192, 256, 384, 512):
            for num_blocks in (1, 2, 4, 6, 8, 12):
                if hidden_dim // 32 <= num_blocks <= max(2, hidden_dim // 16):
                    yield patch_size, hidden_dim, num_blocks


def _expand_range(given: dict[str, Any]) -> Values:
    unknown = set(given) - {"low", "high", "step"}
    if unknown or not {"low", "high"} <= set(given):
        raise ValueError(_WHAT_A_RANGE_IS)
    low, high, step = given["low"], given["high"], given.get("step", 1)
    if not all(type(value) is int for value in (low, high, step)) or low < 1 or step < 1:
        raise ValueError("low, high and step are positive whole numbers")
    if high < low:
        raise ValueError(f"the range is empty, low={low} is above high={high}; exchange them")
    return tuple(range(low, high + 1, step))
