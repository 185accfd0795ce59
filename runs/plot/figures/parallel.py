"""Configurations as lines across parallel axes, as a Plotly figure."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import numpy as np
import plotly.graph_objects as go

from runs.parameters import FamilyTrials, Parameter
from runs.plot.figures.axes import dress, for_plotly, log_ticks
from runs.plot.palette import LIGHT, SCALE, Palette
from runs.points import Floats
from runs.thinning import sampled
from space.quantities import format_count

MOST = 5_000
"""Lines that are drawn, at random where there are more."""
FEW = 12
"""Values of a parameter that are named one by one on its axis."""


def parallel_figure(
    found: FamilyTrials,
    *,
    values: Mapping[str, Collection[float | str]] | None = None,
    max_cost: float | None = None,
    min_accuracy: float | None = None,
    palette: Palette = LIGHT,
) -> go.Figure:
    """An axis a parameter, then the study's cost and the accuracy, which colours the line.

    What does not pass the filters, those of `runs.parameters.brushed`, is grey.
    """
    kept = sampled(len(found.trials), MOST)
    trials, costs = [found.trials[i] for i in kept.tolist()], found.costs[kept]
    percent = 100 * found.accuracy[kept]
    axes = [
        _parameter(p, p.codes(trials), (values or {}).get(p.name) or ()) for p in found.parameters
    ]
    axes.append(_cost(found, costs, max_cost))
    accuracy: dict[str, object] = {"label": "Accuracy (%)", "values": percent}
    if min_accuracy is not None:
        accuracy["constraintrange"] = [100 * min_accuracy, max(100 * min_accuracy, percent.max())]
    figure = go.Figure(
        go.Parcoords(
            dimensions=[*axes, accuracy],
            line={
                "color": percent,
                "colorscale": [palette.mark(color) for color in SCALE],
            },
            unselected={"line": {"color": palette.grid, "opacity": 0.6}},
            labelangle=-25,  # on a narrow page they would lie over each other
            labelfont={"color": palette.text, "size": 12},
            tickfont={"color": palette.text, "size": 11},
            rangefont={"color": palette.background, "size": 1},  # it repeats the ticks at the ends
        )
    )
    dress(figure, height=420, x="", y="", palette=palette)
    figure.update_layout(margin={"l": 50, "r": 80, "t": 100, "b": 30})
    return figure


def _parameter(
    parameter: Parameter, codes: Floats, wanted: Collection[float | str]
) -> dict[str, object]:
    """An axis with the values in even steps where they are few, or only have names."""
    values = parameter.values
    is_even = len(values) <= FEW or not parameter.is_number
    known = np.array(values if parameter.is_number else range(len(values)), np.float64)
    if is_even:
        places, lines = np.arange(len(values), dtype=np.float64), np.searchsorted(known, codes)
    else:
        scale = np.log2 if parameter.is_logarithmic else np.asarray
        places, lines = scale(known), scale(codes)
    step = -(-len(values) // FEW)
    axis: dict[str, object] = {
        "label": for_plotly(parameter.label),
        "values": np.asarray(lines, np.float64),
        "range": [places[0], places[-1]],
        "tickvals": places[::step],
        "ticktext": [for_plotly(f"{value}") for value in values[::step]],
    }
    chosen = [place for place, value in zip(places, values, strict=True) if value in wanted]
    if chosen:
        reach = 0.3 if is_even else float(np.diff(places).min()) / 3
        axis["constraintrange"] = [[place - reach, place + reach] for place in chosen]
    return axis


def _cost(found: FamilyTrials, costs: Floats, most: float | None) -> dict[str, object]:
    low, high = float(costs.min()), float(costs.max())
    ticks = [tick for tick in log_ticks([low, high]) if low <= tick <= high]
    axis: dict[str, object] = {
        "label": for_plotly(found.cost.label),
        "values": np.log10(costs),
        "tickvals": [math.log10(tick) for tick in ticks],
        "ticktext": [format_count(tick) for tick in ticks],
    }
    if most is not None:
        axis["constraintrange"] = [math.log10(min(low, most)) - 0.01, math.log10(most)]
    return axis
