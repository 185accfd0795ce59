"""Choices of parameters, cost and accuracy that leave some of a family's trials."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypedDict

import streamlit as st

from dashboard.bounds import least_accuracy, most_cost
from dashboard.kept import choices, span
from runs.parameters import FamilyTrials, Parameter
from runs.plot.figures.parallel import FEW

_WIDTH = 190
"""Of a box, in pixels."""


class Filters(TypedDict):
    """What `runs.parameters.brushed` and `runs.plot.figures.parallel.parallel_figure` take."""

    values: Mapping[str, Collection[float | str]]
    max_cost: float | None
    min_accuracy: float | None


def brush(found: FamilyTrials) -> Filters:
    """Draws the choices, and returns them. Nothing is chosen at first, which leaves everything.

    Plotly tells no page what was brushed on its parallel axes, so it is chosen above them.
    """
    with st.container(horizontal=True, gap="medium"):
        values = {p.name: _values(found, p) for p in found.parameters}
        max_cost = most_cost("parameters", found.cost, _WIDTH)
        min_accuracy = least_accuracy("parameters_min_accuracy", _WIDTH)
    return {"values": values, "max_cost": max_cost, "min_accuracy": min_accuracy}


def _values(found: FamilyTrials, parameter: Parameter) -> Collection[float | str]:
    """Few values are buttons; of many a stretch is chosen."""
    key, values = f"parameters_{found.family}_{parameter.name}", parameter.values
    if len(values) <= FEW or not parameter.is_number:
        return st.pills(
            parameter.label,
            values,
            selection_mode="multi",
            key=choices(key, values),
            width="content",
        )
    ends = values[0], values[-1]
    low, high = st.select_slider(parameter.label, values, ends, key=span(key, values), width=300)
    if (low, high) == ends:
        return []
    return [value for value in values if float(low) <= float(value) <= float(high)]
