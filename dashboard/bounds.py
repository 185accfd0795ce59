"""Widgets that several pages have: which cost accuracy is weighed against, and what it may cost.

Their keys are kept, see `dashboard.kept`: they begin with the page's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import streamlit as st

from dashboard import kept
from runs.points import axes_of
from runs.record import TrialRecord
from space.costs import FLOPS, Cost

Width = int | Literal["stretch"]


def cost_axis(page: str, own: Cost, trials: Sequence[TrialRecord]) -> Cost:
    """The cost that is chosen of those known of any of the trials; at first what the study
    minimises."""
    axes = axes_of(own, trials)
    name = st.segmented_control(
        "Cost",
        list(axes),
        format_func=lambda name: axes[name].label,
        required=True,
        key=kept.choice(f"{page}_axis", axes, own.name),
    )
    return axes[name or own.name]


def most_cost(page: str, cost: Cost, width: Width = "stretch") -> float | None:
    """The most that the cost may be; None where the box is empty or 0.

    Its key names the unit: one study's 60 M FLOPs are not the next one's 60 parameters.
    """
    unit, size, name = (cost.unit, 1.0, cost.name)
    if cost is FLOPS:
        unit, size, name = ("M FLOPs", 1e6, "mflops")
    most = st.number_input(
        f"At most so many {unit}",
        min_value=0.0,
        value=None,
        key=kept.number(f"{page}_max_{name}", 0.0),
        width=width,
    )
    return most * size if most else None


def least_accuracy(key: str, width: Width = "stretch") -> float | None:
    """The accuracy that is asked for at least, in [0, 1]; None where the box is empty."""
    percent = st.number_input(
        "At least so accurate (%)", 0.0, 100.0, None, key=kept.number(key, 0.0, 100.0), width=width
    )
    return None if percent is None else percent / 100
