"""Accuracy along one hyperparameter, as a Plotly figure."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from runs.cost_trend import at_equal_cost
from runs.parameters import FamilyTrials, Parameter
from runs.plot.contrast import mix
from runs.plot.figures.axes import dress, for_plotly
from runs.plot.palette import LIGHT, Palette
from runs.points import Floats
from runs.slices import Means, means
from runs.thinning import sampled

MOST = 2_000
"""Points that are drawn, at random where there are more; means are of all."""
_TICKS = 8

_HOVER = (
    "<b>Trial %{customdata[0]}</b><br>%{hovertext}<br>%{customdata[1]}<br>"
    "%{y:.2f}%{customdata[2]}<extra></extra>"
)


def slice_figure(
    found: FamilyTrials,
    parameter: Parameter,
    *,
    equal_cost: bool = True,
    palette: Palette = LIGHT,
) -> go.Figure:
    """A point a configuration, a line through the means of the values and a band, where they lie
    with 95 %.

    Args:
        found: the trials of a family.
        parameter: one that varies among them.
        equal_cost: draws by how many points a trial is above or below those of its cost, instead
            of its accuracy.
        palette: of the page's theme.
    """
    y = 100 * (at_equal_cost(found.costs, found.accuracy) if equal_cost else found.accuracy)
    x = parameter.codes(found.trials)
    color = palette.family(found.family)
    figure = go.Figure()
    _add_band(figure, means(x, y), color, mix(color, palette.background, 0.75))
    _add_points(figure, found, parameter, x, y, palette, " points" if equal_cost else " %")
    title = f"At equal {found.cost.label} (points)" if equal_cost else "Accuracy (%)"
    dress(figure, height=300, x=for_plotly(parameter.label), y=for_plotly(title), palette=palette)
    figure.update_layout(showlegend=False, hovermode="closest", margin={"t": 20})
    figure.update_xaxes(**_axis(parameter))
    margin = 0.05 * (y.max() - y.min()) or 1.0
    figure.update_yaxes(range=[y.min() - margin, y.max() + margin])  # of all slices the same
    if equal_cost:
        figure.update_yaxes(zeroline=True, zerolinecolor=palette.muted)
    return figure


def _add_points(
    figure: go.Figure,
    found: FamilyTrials,
    parameter: Parameter,
    x: Floats,
    y: Floats,
    palette: Palette,
    unit: str,
) -> None:
    drawn = sampled(len(x), MOST)
    trials = [found.trials[i] for i in drawn.tolist()]
    figure.add_trace(
        go.Scatter(
            x=x[drawn],
            y=y[drawn],
            customdata=[
                [t.number, for_plotly(f"{parameter.label}: {parameter.of(t)}"), unit]
                for t in trials
            ],
            hovertext=[for_plotly(t.label) for t in trials],
            hovertemplate=_HOVER,
            name="Configurations",
            mode="markers",
            marker={"color": palette.tone(palette.family(found.family)), "size": 6},
        )
    )


def _add_band(figure: go.Figure, along: Means, color: str, faint: str) -> None:
    known = ~np.isnan(along.low)
    figure.add_trace(
        go.Scatter(
            x=np.concatenate([along.x[known], along.x[known][::-1]]),
            y=np.concatenate([along.high[known], along.low[known][::-1]]),
            name="95 % of the mean",
            mode="lines",
            line={"width": 0},
            fill="toself",
            fillcolor=faint,
            hoverinfo="skip",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=along.x,
            y=along.mean,
            name="Mean",
            mode="lines",
            line={"color": color, "width": 2.5},
            hoverinfo="skip",
        )
    )


def _axis(parameter: Parameter) -> dict[str, object]:
    """Ticks at the values, where they are few."""
    values = parameter.values
    if not parameter.is_number:
        return {
            "tickvals": list(range(len(values))),
            "ticktext": [for_plotly(str(value)) for value in values],
        }
    ends = np.array([values[0], values[-1]], np.float64)
    kind = "log" if parameter.is_logarithmic else "linear"
    ends = np.log10(ends) if kind == "log" else ends
    margin = 0.06 * (ends[1] - ends[0])
    axis: dict[str, object] = {"type": kind, "range": [ends[0] - margin, ends[1] + margin]}
    step = -(-len(values) // _TICKS)
    ticks = values[::step]
    return axis | {"tickvals": list(ticks), "ticktext": [f"{tick:,}" for tick in ticks]}
