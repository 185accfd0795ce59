"""The families a study searches, and the ranges its file gives for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import pydantic
from pydantic import Field, SerializeAsAny
from pydantic_core import InitErrorDetails

from space.errors import ConfigError
from space.families import FAMILIES, add_installed, find_family
from space.ranges import Ranges

Families = Annotated[tuple[str, ...], Field(min_length=1)]
RangesByFamily = dict[str, SerializeAsAny[Ranges]]


def check_families(given: Any) -> Any:
    """Names of families, each once, as a tuple.

    Raises:
        ValueError: one is unknown, or named twice.
    """
    if not isinstance(given, list | tuple) or not all(isinstance(name, str) for name in given):
        return given  # its type is the fault
    for name in given:
        try:
            find_family(name)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        if given.count(name) > 1:
            raise ValueError(f"family {name!r} is there twice; name each once")
    return tuple(given)


def ranges_by_family(given: Any, families: Sequence[str]) -> dict[str, Ranges]:
    """The ranges of every searched family, those of which nothing is said left open.

    Args:
        given: a table a family (`[space.mixer]`), or, where one is searched, its ranges.
        families: those searched.

    Raises:
        ValueError: the ranges are not said to be of one of several families, or are of one that is
            not searched.
        pydantic.ValidationError: a range is unknown or is none; at the place where it was given.
    """
    if not isinstance(given, Mapping) or not _is_by_family(given, families):
        if len(families) == 1:
            return {families[0]: _ranges(families[0], given, ())}
        tables = ", ".join(f"[space.{name}]" for name in families)
        raise ValueError(f"the ranges are of no family; put those of each into its table: {tables}")
    for name in given:
        if name not in families:
            fault = ValueError(
                f"it is not searched; add it to families, which has {', '.join(families)}, or "
                f"leave [space.{name}] out"
            )
            raise pydantic.ValidationError.from_exception_data(
                "space",
                [{"type": "value_error", "loc": (name,), "input": name, "ctx": {"error": fault}}],
            )
    return {name: _ranges(name, given.get(name, {}), (name,)) for name in families}


def allowed_in_space(keys: Sequence[str], families: Any) -> list[str]:
    """What may stand in a study file's table `space`, or in `space.FAMILY`."""
    named = families if isinstance(families, list | tuple) else ()
    known = [name for name in named if name in FAMILIES]
    tables = [keys[1]] if len(keys) > 1 else known
    ranges = [name for family in tables for name in FAMILIES[family].ranges.model_fields]
    return list(dict.fromkeys(ranges)) + ([] if len(keys) > 1 else known)


def _is_by_family(given: Mapping[Any, Any], families: Sequence[str]) -> bool:
    if any(
        name in find_family(family).ranges.model_fields for family in families for name in given
    ):
        return False
    if any(name not in FAMILIES for name in given):
        add_installed()
    return all(name in FAMILIES for name in given)


def _ranges(family: str, given: Any, where: tuple[str, ...]) -> Ranges:
    try:
        return find_family(family).ranges.model_validate(given)
    except pydantic.ValidationError as error:
        raise pydantic.ValidationError.from_exception_data(
            error.title,
            [
                InitErrorDetails(
                    type=found["type"],
                    loc=(*where, *found["loc"]),
                    input=found["input"],
                    ctx=found.get("ctx", {}),
                )
                for found in error.errors()
            ],
        ) from None
