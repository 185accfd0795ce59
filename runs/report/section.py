"""What a report is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
import plotly.graph_objects as go


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure and the sentence that says what it shows."""

    figure: go.Figure
    caption: str


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table, and what is to be said of it."""

    frame: pd.DataFrame
    caption: str = ""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading and what stands below it, in this order."""

    title: str
    sentences: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    parts: Sequence[Figure | Table] = ()
    commands: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Content:
    """All that a report says."""

    study: str
    subtitle: str
    sections: Sequence[Section]
