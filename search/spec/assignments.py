"""`--set recipe.learning_rate=1e-3`: any field of a study from the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

import pydantic

from search.spec.studies import StudyError, StudySpec
from space.errors import nearest
from space.families import FAMILIES


def parse_assignments(texts: Iterable[str], spec: StudySpec) -> dict[tuple[str, ...], Any]:
    """The fields that are set, by their path in a study file, and their values.

    A value is written as in a study file; a text needs no quotes there: `sampler=tpe`.

    Args:
        texts: `FIELD=VALUE`, the last of a field wins.
        spec: the study, whose fields they must be.

    Raises:
        StudyError: one is not such an assignment, or there is no such field.
    """
    assigned = {}
    for text in texts:
        field, equals, value = text.partition("=")
        path = _with_family(tuple(field.strip().split(".")), spec)
        if not equals or not all(path):
            raise StudyError(
                f"--set {text}: a field is set as FIELD=VALUE; write it like "
                "recipe.learning_rate=1e-3"
            )
        _check_field(path, spec)
        assigned[path] = _value(value.strip())
    return assigned


def _with_family(path: tuple[str, ...], spec: StudySpec) -> tuple[str, ...]:
    """`space.hidden_dim` as `space.mixer.hidden_dim` where one family is searched."""
    is_range = path[0] == "space" and len(path) > 1 and path[1] not in FAMILIES
    return ("space", *spec.families, *path[1:]) if is_range and len(spec.families) == 1 else path


def _check_field(path: tuple[str, ...], spec: StudySpec) -> None:
    """Refuses a path that ends at no field."""
    table: object = spec
    for depth, step in enumerate(path):
        above = ".".join(path[:depth])
        if isinstance(table, Mapping) and step in FAMILIES:  # searched or not, the study will say
            table = table.get(step, FAMILIES[step].ranges())
            continue
        if not isinstance(table, pydantic.BaseModel):
            raise StudyError(
                f"--set {'.'.join(path)}: {above} is one value, no table; set it itself"
            )
        known = type(table).model_fields
        if step not in known:
            where = above or "a study"
            raise StudyError(
                f"--set {'.'.join(path)}: {where} has no field {step!r}{nearest(step, known)}; "
                f"there is {', '.join(known)}"
            )
        table = getattr(table, step)


def _value(text: str) -> Any:
    """As TOML has it, else the text itself."""
    try:
        found = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return found["value"] if len(found) == 1 else text
