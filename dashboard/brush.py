"""Choices of parameters, cost and accuracy that leave some of a family's trials."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypedDict

import streamlit as st

from runs.parameters import FamilyTrials, Parameter
from runs.plot.parallel import FEW
from space.costs import FLOPS


class Filters(TypedDict):
    """What `runs.parameters.brushed` and `runs.plot.parallel.parallel_figure` take."""

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
            key="parameters_min_accuracy",
            width=190,
        )
    return {
        "values": values,
        "max_cost": max_cost,
        "min_accuracy": None if at_least is None else at_least / 100,
    }


def _values(found: FamilyTrials, parameter: Parameter) -> Collection[float | str]:
    """Few values are buttons; of many the least and the greatest are chosen."""
    key = f"parameters_{found.family}_{parameter.name}"
    if len(parameter.values) <= FEW or not parameter.is_number:
        _forget_unknown(key, parameter.values)
        return st.pills(
            parameter.label, parameter.values, selection_mode="multi", key=key, width="content"
        )
    ends = parameter.values[0], parameter.values[-1]
    _forget_unknown(key, parameter.values)
    low, high = st.select_slider(parameter.label, parameter.values, value=ends, key=key, width=300)
    if (low, high) == ends:
        return []
    return [value for value in parameter.values if float(low) <= float(value) <= float(high)]


def _forget_unknown(key: str, values: Collection[float | str]) -> None:
    """Of another study, which had other values."""
    if not set(st.session_state.get(key) or ()) <= set(values):
        del st.session_state[key]


def _max_cost(found: FamilyTrials) -> float | None:
    unit, size = ("M FLOPs", 1e6) if found.cost is FLOPS else (found.cost.unit, 1.0)
    most = st.number_input(
        f"At most so many {unit}", min_value=0.0, value=None, key="parameters_max_cost", width=190
    )
    return None if not most else most * size
