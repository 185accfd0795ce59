"""Tables of numbers to text, as the pages of the dashboard show them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

HEADS = {
    "Accuracy": "Accuracy (%)",
    "±": "± (points)",
    "FLOPs": "FLOPs (M)",
    "To decide": "Seeds to decide",
}
"""What stands above a column of that name, where it is more than the name."""

_FORMATS: dict[str, Callable[[Any], str]] = {
    "Accuracy": "{:.2f}".format,
    "±": "{:.2f}".format,
    "FLOPs": "{:.3f}".format,
    "Parameters": "{:,}".format,
    "Trials": "{:,}".format,
    "Support": "{:.2f}".format,
    "Optimism": "{:+.2f}".format,
}


_SHORT = 28
"""Characters of a cell that stays on one line, such as a configuration's short name."""


@dataclass(frozen=True)
class Cells:
    """A table as it is written."""

    heads: list[str]
    is_number: list[bool]
    """By column; numbers are aligned on the right."""
    is_short: list[bool]
    """By column: whether its cells are to stay on one line."""
    rows: list[list[str]]


def cells_of(frame: pd.DataFrame) -> Cells:
    """The cells of a table as text; an empty one where a value is missing."""
    columns = [str(name) for name in frame.columns]
    shown = [[_cell(name, value) for value in frame[name]] for name in columns]
    return Cells(
        heads=[HEADS.get(name, name) for name in columns],
        is_number=[pd.api.types.is_numeric_dtype(frame[name]) for name in columns],
        is_short=[max(map(len, column), default=0) <= _SHORT for column in shown],
        rows=[list(row) for row in zip(*shown, strict=True)],
    )


def _cell(column: str, value: Any) -> str:
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return ""
    if column in _FORMATS and not isinstance(value, str):
        return _FORMATS[column](value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
