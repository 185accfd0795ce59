"""What the trainings of `transfer.py` say: rates, gains with intervals, as a table or a figure."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from scipy.stats import t

SIZES = (20, 100, 500)
"""Training images a class."""
CHOOSING = 2
"""Seeds by which a rate is chosen."""
STARTS = ("pretrained", "scratch")


@dataclass(frozen=True, kw_only=True)
class Training:
    """One training on vehicles."""

    images_per_class: int
    start: str
    learning_rate: float
    seed: int
    choosing_accuracy: float
    """On the half of the kept out images that chooses the rate."""
    accuracy: float
    """On the half that reports."""
    train_seconds: float


@dataclass(frozen=True, kw_only=True)
class Gain:
    """Of a size: what the pretrained weights add, in accuracy."""

    images_per_class: int
    rates: dict[str, float]
    """Chosen, by start."""
    means: dict[str, float]
    mean: float
    half_width: float
    """Of the 95 % interval over seeds."""


def best_rate(tried: Sequence[Training]) -> float:
    """The rate of the highest mean accuracy on the images that choose; of equal ones the lowest."""
    means = {
        rate: np.mean([x.choosing_accuracy for x in tried if x.learning_rate == rate])
        for rate in sorted({x.learning_rate for x in tried})
    }
    return max(means, key=lambda rate: means[rate])


def gains_of(trainings: Sequence[Training]) -> list[Gain]:
    """By size, in the order of the trainings."""
    sizes = dict.fromkeys(x.images_per_class for x in trainings)
    return [gain_of([x for x in trainings if x.images_per_class == size]) for size in sizes]


def gain_of(trainings: Sequence[Training]) -> Gain:
    """What the trainings of one size say, at the best rate of each start."""
    rates, accuracies = {}, {}
    for start in STARTS:
        mine = [x for x in trainings if x.start == start]
        rates[start] = best_rate([x for x in mine if x.seed < CHOOSING])
        chosen = {x.seed: x.accuracy for x in mine if x.learning_rate == rates[start]}
        accuracies[start] = np.array([chosen[seed] for seed in sorted(chosen)])
    pairs = accuracies["pretrained"] - accuracies["scratch"]
    deviation = pairs.std(ddof=1) / np.sqrt(len(pairs))
    return Gain(
        images_per_class=trainings[0].images_per_class,
        rates=rates,
        means={start: float(found.mean()) for start, found in accuracies.items()},
        mean=float(pairs.mean()),
        half_width=float(t.ppf(0.975, len(pairs) - 1) * deviation),
    )


def table(gains: Sequence[Gain]) -> str:
    """As Markdown, a line a size."""
    lines = [
        "| images a class | fine-tuned | from scratch | gain (95 % interval) | rates |",
        "|---:|---:|---:|---:|---|",
    ]
    for gain in gains:
        low, high = gain.mean - gain.half_width, gain.mean + gain.half_width
        fine, scratch = (100 * gain.means[start] for start in STARTS)
        lines.append(
            f"| {gain.images_per_class} | {fine:.1f} % | {scratch:.1f} % | "
            f"{100 * gain.mean:+.1f} ({100 * low:+.1f} to {100 * high:+.1f}) | "
            f"{gain.rates['pretrained']:g}, {gain.rates['scratch']:g} |"
        )
    return "\n".join(lines)


def write(trainings: Sequence[Training], path: Path) -> None:
    """All trainings, a row each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(field.name for field in fields(Training))
        rows.writerows(map(astuple, trainings))


def read(path: Path) -> list[Training]:
    """The trainings of a file that `write` made."""
    with path.open(newline="") as file:
        return [
            Training(
                start=row.pop("start"),
                images_per_class=int(row.pop("images_per_class")),
                seed=int(row.pop("seed")),
                **{name: float(value) for name, value in row.items()},
            )
            for row in csv.DictReader(file)
        ]


def draw(gains: Sequence[Gain], path: Path) -> None:
    """The gain at each size, with its interval."""
    import plotly.graph_objects as go
    from search_cost_figure import write_png

    figure = go.Figure(
        go.Scatter(
            x=[gain.images_per_class for gain in gains],
            y=[100 * gain.mean for gain in gains],
            error_y={"type": "data", "array": [100 * gain.half_width for gain in gains]},
            mode="markers+lines",
        )
    )
    figure.add_hline(y=0, line={"width": 1, "dash": "dot"})
    figure.update_xaxes(type="log", title="Training images a class", tickvals=SIZES)
    figure.update_yaxes(title="Gain in accuracy over from scratch, points")
    figure.update_layout(template="simple_white", width=900, height=520, margin_t=30)
    write_png(figure, path)
