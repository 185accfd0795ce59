"""Learning curves as a Plotly figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from runs.plot.figures.axes import dress
from runs.plot.palette import LIGHT, Palette
from runs.record import EpochRecord


def curves_figure(
    epochs: Sequence[EpochRecord],
    columns: Mapping[str, str],
    title: str,
    *,
    color: str,
    scale: float = 1.0,
    others: Mapping[str, Sequence[EpochRecord]] | None = None,
    rungs: Sequence[int] = (),
    palette: Palette = LIGHT,
) -> go.Figure:
    """Fields of the epochs against the epoch.

    Args:
        epochs: of one trial.
        columns: the name a line is shown under, to the field of `EpochRecord` it draws.
        title: of the y-axis, with its unit.
        color: of the lines, made readable; the training's is dotted.
        scale: values are multiplied by it.
        others: epochs of the configuration's other seeds, by the seed's name; drawn faint.
        rungs: epochs to mark, after which trials are compared.
        palette: of the theme it is drawn in.
    """
    figure = go.Figure()
    curves = [*(others or {}).items(), ("", epochs)]
    for seed, curve in curves:
        for name, column in columns.items():
            figure.add_trace(
                go.Scatter(
                    x=np.array([epoch.epoch for epoch in curve]),
                    y=scale * np.array([getattr(epoch, column) for epoch in curve], np.float64),
                    name=f"{name}, {seed}" if seed else name,
                    legendgroup=name,
                    showlegend=not seed,
                    mode="lines+markers" if len(curve) < 30 else "lines",
                    line={
                        "color": palette.tone(color) if seed else palette.line(color),
                        "dash": "dot" if name == "Training" else "solid",
                        "width": 1 if seed else 2,
                    },
                )
            )
    for rung in rungs:
        figure.add_vline(x=rung, line={"dash": "dash", "width": 1, "color": palette.muted})
    if rungs:  # a word at each would lie on the next one's
        figure.add_annotation(
            text="rung" if len(rungs) == 1 else "rungs",
            font={"size": 10, "color": palette.muted},
            showarrow=False,
            x=max(rungs),
            xanchor="left",
            yref="paper",
            y=0,
            yanchor="bottom",
        )
    dress(figure, height=300, x="Epoch", y=title, palette=palette)
    figure.update_layout(hovermode="x unified")
    last = max((curve[-1].epoch for _, curve in curves if curve), default=1)
    room = 0.04 * max(
        1, last - 1
    )  # on both sides: Plotly lets lines without points touch the frame
    figure.update_xaxes(
        range=[1 - room, last + room],
        dtick=1 if last <= 10 else None,  # no half epochs
    )
    figure.update_yaxes(exponentformat="power")
    return figure
