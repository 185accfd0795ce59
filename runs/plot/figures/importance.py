"""Which hyperparameters matter, as a Plotly figure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from runs.importance import Importance, Importances
from runs.plot.figures.axes import dress, for_plotly
from runs.plot.palette import LIGHT, Palette
from space.costs import FLOPS, Cost


def importance_figure(
    found: Importance, cost: Cost = FLOPS, *, palette: Palette = LIGHT
) -> go.Figure:
    """A row a parameter, that which matters most at equal cost on top: its importance at equal cost
    and on the whole, with intervals."""
    order = np.argsort([one.value for one in found.at_equal_cost.of], kind="stable")
    figure = go.Figure()
    shown = [
        ("On the whole", found.plain, "circle-open", palette.muted, -0.12),
        (for_plotly(f"At equal {cost.label}"), found.at_equal_cost, "circle", palette.search, 0.12),
    ]
    for name, importances, symbol, color, shift in shown:
        figure.add_trace(_dots(found, importances, order, name, symbol, color, shift))
    dress(
        figure, height=140 + 44 * len(order), x="Importance (% of variance)", y="", palette=palette
    )
    figure.update_layout(legend={"traceorder": "reversed"}, hovermode="closest")
    figure.update_xaxes(zeroline=True, zerolinecolor=palette.muted, zerolinewidth=1.5)
    figure.update_yaxes(
        tickvals=list(range(len(order))),
        ticktext=[for_plotly(found.labels[i]) for i in order],
        range=[-0.6, len(order) - 0.4],
    )
    return figure


def _dots(
    found: Importance,
    importances: Importances,
    order: npt.NDArray[np.intp],
    name: str,
    symbol: str,
    color: str,
    shift: float,
) -> go.Scatter:
    ones = [importances.of[i] for i in order]
    return go.Scatter(
        x=[100 * one.value for one in ones],
        y=[place + shift for place in range(len(ones))],
        error_x={
            "array": [100 * (one.high - one.value) for one in ones],
            "arrayminus": [100 * (one.value - one.low) for one in ones],
            "thickness": 1.5,
            "width": 4,
        },
        customdata=[
            [for_plotly(found.labels[i]), 100 * one.low, 100 * one.high]
            for i, one in zip(order, ones, strict=True)
        ],
        hovertemplate="<b>%{customdata[0]}</b><br>%{x:.0f} % "
        "(%{customdata[1]:.0f} to %{customdata[2]:.0f})<extra></extra>",
        name=name,
        mode="markers",
        marker={"color": color, "size": 10, "symbol": symbol, "line": {"width": 2}},
    )
