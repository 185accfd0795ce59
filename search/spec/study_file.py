"""Study files: TOML in, a `StudySpec` out, or a sentence with the field and its line."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pydantic
from pydantic_core import ErrorDetails

from search.spec.data_spec import DataSpec
from search.spec.recipe import Augmentation, Recipe
from search.spec.rungs import RungSpec
from search.spec.spaces import allowed_in_space
from search.spec.studies import STUDIES, StartFrom, StudyError, StudySpec
from space.errors import explain_one, nearest
from space.families import DEFAULT_FAMILIES
from space.paths import as_path

_TABLES: dict[tuple[str, ...], type[pydantic.BaseModel]] = {
    (): StudySpec,
    ("data",): DataSpec,
    ("recipe",): Recipe,
    ("recipe", "augmentation"): Augmentation,
    ("rungs",): RungSpec,
    ("start_from",): StartFrom,
}


def find_study(name_or_file: str) -> StudySpec:
    """A built-in study by its name, or the study a `.toml` file (in capitals too) describes.

    Raises:
        StudyError: no such study or file, or the file does not describe one.
    """
    if name_or_file.lower().endswith(".toml"):
        return read_study(as_path(name_or_file))
    if name_or_file in STUDIES:
        return STUDIES[name_or_file]
    raise StudyError(
        f"study {name_or_file!r} is unknown{nearest(name_or_file, STUDIES)}; "
        f"known: {', '.join(STUDIES)}, or the path of a .toml file"
    )


def read_study(path: Path) -> StudySpec:
    """The study a TOML file describes; only `name` and `dataset` are required.

    Raises:
        StudyError: unreadable, not TOML, or a field unknown, missing, of the wrong type or empty.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # editors on Windows write a byte order mark
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text; save it as UTF-8"
        raise StudyError(f"study file {str(path)!r} cannot be read: {reason}") from None
    try:
        fields = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"study file {path} is not TOML: {error}") from None
    try:
        return StudySpec.model_validate_json(json.dumps(fields, default=str))
    except pydantic.ValidationError as error:
        faults = dict.fromkeys(_sentence(found, text, fields) for found in error.errors())
        raise StudyError(f"study file {path}, {'; '.join(faults)}") from None


def _sentence(found: ErrorDetails, text: str, fields: dict[str, Any]) -> str:
    """One fault with its line, and what is allowed where a field is unknown."""
    keys = tuple(str(step) for step in found["loc"])
    line = _line_of(keys, text)
    where = f"line {line}: " if line else ""
    if found["type"] == "extra_forbidden":
        if keys[0] == "space":
            allowed = allowed_in_space(keys[:-1], fields.get("families", DEFAULT_FAMILIES))
        else:
            allowed = list(_TABLES.get(keys[:-1], StudySpec).model_fields)
        return (
            f"{where}{'.'.join(keys)}: unknown field{nearest(keys[-1], allowed)}; "
            f"allowed: {', '.join(allowed)}"
        )
    return where + explain_one(found)


def _line_of(keys: tuple[str, ...], text: str) -> int | None:
    """The line that sets the field, or the innermost table or field around it; from 1."""
    best: tuple[int, int] | None = None  # how many keys match, line
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line):
            path = table = _dotted(header[1])
        elif assignment := re.match(r"\s*([\w.\"'\- ]+?)\s*=", line):
            path = (*table, *_dotted(assignment[1]))
        else:
            continue
        if keys[: len(path)] == path and (best is None or len(path) > best[0]):
            best = (len(path), number)
    return best[1] if best else None


def _dotted(key: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in key.split("."))
