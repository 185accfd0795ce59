"""A few trials in one Plotly figure: a colour a trial, its number beside its line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from runs.layer_parts import PARTS, flops_by_part
from runs.noise import Noise
from runs.plot.figures.axes import dress, for_plotly
from runs.plot.palette import LIGHT, Palette
from runs.record import EpochRecord, TrialRecord


def overlaid_figure(
    curves: Mapping[int, Sequence[EpochRecord]],
    column: str,
    title: str,
    *,
    scale: float = 1.0,
    palette: Palette = LIGHT,
) -> go.Figure:
    """A field of the epochs against the epoch, a line a trial.

    Args:
        curves: epochs by the trial's number; the order gives the colours.
        column: the field of `EpochRecord`.
        title: of the y-axis, with its unit.
        scale: values are multiplied by it.
        palette: of the theme.
    """
    figure = go.Figure()
    ends: list[tuple[int, int, float, str]] = []
    for (number, epochs), color in zip(curves.items(), _colors(palette), strict=False):
        if not epochs:
            continue
        values = scale * np.array([getattr(epoch, column) for epoch in epochs], np.float64)
        figure.add_trace(
            go.Scatter(
                x=np.array([epoch.epoch for epoch in epochs]),
                y=values,
                name=f"Trial {number}",
                mode="lines+markers" if len(epochs) < 30 else "lines",
                line={"color": color, "width": 2},
                customdata=[[number]] * len(epochs),
                hovertemplate=f"<b>Trial {number}</b>, epoch %{{x}}: %{{y:.4g}}<extra></extra>",
            )
        )
        ends.append((number, epochs[-1].epoch, float(values[-1]), color))
    dress(figure, height=340, x="Epoch", y=title, palette=palette)
    _label_ends(figure, ends)
    longest = max((len(epochs) for epochs in curves.values()), default=0)
    figure.update_layout(showlegend=False, hovermode="closest")
    figure.update_xaxes(dtick=1 if longest <= 10 else None, range=[0.5, longest * 1.12 + 0.5])
    return figure


def accuracies_figure(
    trials: Sequence[TrialRecord], noise: Noise, *, palette: Palette = LIGHT
) -> go.Figure:
    """The validation accuracy of each trial with its 95 % interval, of one training."""
    figure = go.Figure()
    for trial, color in zip(trials, _colors(palette), strict=False):
        if trial.accuracy is None:
            continue
        interval = noise.of_training(trial.accuracy)
        bar = None
        if interval:
            bar = {
                "array": [100 * (interval.high - interval.value)],
                "arrayminus": [100 * (interval.value - interval.low)],
                "thickness": 2,
                "width": 6,
            }
        figure.add_trace(
            go.Scatter(
                x=[100 * trial.accuracy],
                y=[_row(trial)],
                error_x=bar,
                mode="markers",
                marker={"color": color, "size": 10},
                customdata=[[trial.number]],
                hovertext=for_plotly(trial.label),
                hovertemplate="<b>%{y}</b><br>%{hovertext}<br>%{x:.2f} %<extra></extra>",
            )
        )
    _rows(figure, trials, x="Validation accuracy (%)", palette=palette)
    figure.update_layout(showlegend=False)
    return figure


def parts_figure(trials: Sequence[TrialRecord], *, palette: Palette = LIGHT) -> go.Figure:
    """The FLOPs of each trial, stacked by the parts of its network."""
    bills = [flops_by_part(trial.config) for trial in trials]
    parts = [*PARTS, *sorted({part for bill in bills for part in bill} - set(PARTS))]
    figure = go.Figure()
    for index, part in enumerate(parts):
        with_part = [(t, bill) for t, bill in zip(trials, bills, strict=True) if part in bill]
        if not with_part:
            continue
        figure.add_trace(
            go.Bar(
                name=for_plotly(part),
                orientation="h",
                x=[bill[part] / 1e6 for _, bill in with_part],
                y=[_row(trial) for trial, _ in with_part],
                marker={"color": palette.parts[index % len(palette.parts)], "line": {"width": 0}},
                customdata=[
                    [trial.number, 100 * bill[part] / sum(bill.values())]
                    for trial, bill in with_part
                ],
                hovertemplate=f"<b>%{{y}}</b><br>{for_plotly(part)}: %{{x:,.3f}} M FLOPs, "
                "%{customdata[1]:.1f} %<extra></extra>",
            )
        )
    _rows(figure, trials, x="FLOPs (M), 2 × MACs, one image, forward", palette=palette)
    figure.update_layout(barmode="stack", bargap=0.35, legend={"traceorder": "normal"})
    figure.update_xaxes(rangemode="tozero")
    return figure


def _colors(palette: Palette) -> list[str]:
    """A colour a trial; without the sixth, which on white is hardly another blue than the first."""
    return [*palette.several[:5], *palette.several[6:]]


def _rows(figure: go.Figure, trials: Sequence[TrialRecord], *, x: str, palette: Palette) -> None:
    """A row a trial, the first at the top."""
    dress(figure, height=110 + 38 * len(trials), x=x, y="", palette=palette)
    figure.update_layout(hovermode="closest")
    rows = [_row(trial) for trial in reversed(trials)]
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=rows)
    figure.update_yaxes(range=[-0.6, len(trials) - 0.4], showgrid=False, ticksuffix="  ")


def _row(trial: TrialRecord) -> str:
    return f"Trial {trial.number}"


def _label_ends(figure: go.Figure, ends: Sequence[tuple[int, int, float, str]]) -> None:
    """Each trial's number at the end of its line, moved apart where they would cover each other.

    The labels keep the order of the lines' ends; the y-axis spans all values.
    """
    values = [float(y) for trace in figure.data for y in trace.y]
    if not values:
        return
    apart = (max(values) - min(values)) * 0.065 or 1e-9
    below = -np.inf
    for number, epoch, value, color in sorted(ends, key=lambda end: end[2]):
        place = max(value, below + apart)
        below = place
        figure.add_annotation(
            x=epoch,
            y=place,
            text=f"<b>{number}</b>",
            font={"color": color, "size": 13},
            showarrow=False,
            xanchor="left",
            xshift=8,
        )
