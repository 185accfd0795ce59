"""Choices of parameters, cost and accuracy that leave some of a family's trials."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypedDict

import streamlit as st

from dashboard.kept import choices, number, span
from runs.parameters import FamilyTrials, Parameter
from runs.plot.figures.parallel import FEW
from space.costs import FLOPS


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
        max_cost = _max_cost(found)
        at_least = st.number_input(
            "At least so accurate (%)",
            0.0,
            100.0,
            value=None,
            key=number("parameters_min_accuracy", 0.0, 100.0),
            width=190,
        )
    return {
        "values": values,
        "max_cost": max_cost,
        "min_accuracy": None if at_least is None else at_least / 100,
    }


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


def _max_cost(found: FamilyTrials) -> float | None:
    unit, size = ("M FLOPs", 1e6) if found.cost is FLOPS else (found.cost.unit, 1.0)
    most = st.number_input(
        f"At most so many {unit}",
        min_value=0.0,
        value=None,
        key=number("parameters_max_cost", 0.0),
        width=190,
    )
    return None if not most else most * size
