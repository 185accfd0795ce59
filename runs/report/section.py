"""What a report is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure and the sentence that says what it shows."""

    kind: ClassVar[str] = "figure"
    figure: go.Figure
    caption: str


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table, and what is to be said of it."""

    kind: ClassVar[str] = "table"
    frame: pd.DataFrame
    caption: str = ""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Names and values, under a heading of their own where they have one."""

    kind: ClassVar[str] = "facts"
    facts: Mapping[str, str]
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Commands:
    """What was typed, or is to be typed: each with what it is for."""

    kind: ClassVar[str] = "commands"
    commands: Sequence[tuple[str, str]]
    """Purpose and command."""
    title: str = ""


Part: TypeAlias = Figure | Table | Facts | Commands


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading and what stands below it: the sentences, then the parts."""

    title: str
    sentences: Sequence[str] = ()
    parts: Sequence[Part] = ()


@dataclass(frozen=True, kw_only=True)
class Content:
    """All that a report says."""

    study: str
    subtitle: str
    sections: Sequence[Section]
