"""Is a trained Mixer worth starting from, where images of other classes are few?

    python benchmarks/transfer.py --data-dir DIR               # two cores: about ten minutes

A class split of CIFAR-10: a small Mixer is pretrained on the six classes of animals, then trained
on 20, 100 and 500 images a class of the four classes of vehicles; once from the pretrained weights
with a head of zeros, as `search.finetune` trains, and once from drawn weights. Both see as many
images in as many steps, by the same recipe, each at the best of the same learning rates.

Of 4,000 vehicles that are kept out of every training, one half chooses the rates (by the mean of
the first two seeds), the other reports. A seed draws its own training images, the same for both;
gains are paired over the seeds, with a t interval.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from scipy.stats import t

from search import data as images
from search.data import DataError, ImageData
from search.data.loading import to_stderr
from search.protocol import Failed, Finished, Predicted, StartWeights, TrialRequest, WeightsSent
from search.spec.recipe import Augmentation, Recipe
from search.study.finetuning_network import with_new_head
from search.train.compile_cache import use_compile_cache
from search.train.device_data import put
from search.train.devices import choose
from search.train.environment import find_environment
from search.train.program import Program, compile_program
from search.train.trial import train
from search.train.xla_options import use_xla_options
from space.config import MixerConfig
from space.cost import cost
from space.families import label_of
from space.quantities import format_count
from space.weights_file import params_in, weights_bytes

ANIMALS = ("bird", "cat", "deer", "dog", "frog", "horse")
VEHICLES = ("airplane", "automobile", "ship", "truck")
MIXER = MixerConfig(
    image_size=32,
    image_channels=3,
    num_classes=len(ANIMALS),
    patch_size=4,
    hidden_dim=32,
    num_blocks=3,
    tokens_mlp_dim=32,
    channels_mlp_dim=64,
)
RECIPE = Recipe(
    epochs=3,
    batch_size=64,
    learning_rate=3e-3,
    weight_decay=0.0,
    augmentation=Augmentation(crop_padding=4, flip=True),
)
RATES = (1e-3, 3e-3, 1e-2, 3e-2)
SIZES = (20, 100, 500)
"""Training images a class."""
KEPT_OUT = 2_000
"""Training images of vehicles that validate, beside those of the data set's own split."""
SHOWN = 8_000
"""Images in what the engine takes for an epoch: the few there are, repeated."""
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


def main(argv: Sequence[str] | None = None) -> int:
    """Pretrains, trains, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, help="with the prepared cifar10")
    parser.add_argument("--out", type=Path, help="write all trainings into this CSV file")
    parser.add_argument("--png", type=Path, help="draw a figure into this file")
    parser.add_argument("--read", type=Path, help="train nothing: show the trainings of a CSV file")
    parser.add_argument("--seeds", type=int, default=5, help="2 or more")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="images a class")
    parser.add_argument("--epochs", type=int, default=RECIPE.epochs, help=f"of {SHOWN} images")
    parser.add_argument("--pretrain-epochs", type=int, default=12)
    args = parser.parse_args(argv)
    if args.read:
        gains = gains_of(read(args.read))
        print(table(gains))
        if args.png:
            draw(gains, args.png)
        return 0
    use_xla_options()
    use_compile_cache(to_stderr)
    try:
        data = images.load("cifar10", data_dir=args.data_dir)
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    began = time.monotonic()
    transfer = Transfer(
        data, RECIPE.model_copy(update={"epochs": args.epochs}), args.pretrain_epochs
    )
    trainings: list[Training] = []
    for size in map(int, args.sizes.split(",")):
        trainings += transfer.trainings(size, args.seeds)
    gains = gains_of(trainings)
    print(report(transfer, gains, args, time.monotonic() - began))
    if args.out:
        write(trainings, args.out)
    if args.png:
        draw(gains, args.png)
    return 0


class Transfer:
    """A pretrained network, and the images of classes that it has not seen.

    Args:
        data: CIFAR-10.
        recipe: of the trainings on few images.
        pretrain_epochs: over all training images of the animals.
    """

    def __init__(self, data: ImageData, recipe: Recipe, pretrain_epochs: int) -> None:
        self.recipe = recipe
        self.device = choose("auto")
        self.vehicles = of_classes(data, VEHICLES, kept_out=KEPT_OUT)
        self._program: Program | None = None
        self._pretrain(of_classes(data, ANIMALS), pretrain_epochs)

    def trainings(self, size: int, seeds: int) -> list[Training]:
        """All that is trained on so many images a class."""
        found = []
        for start in STARTS:
            tried = [
                self._train(size, start, rate, seed) for seed in range(CHOOSING) for rate in RATES
            ]
            rate = best_rate(tried)
            found += tried
            found += [self._train(size, start, rate, seed) for seed in range(CHOOSING, seeds)]
            to_stderr(f"{size} images a class, {start}: {len(found)} trainings")
        return found

    def _pretrain(self, data: ImageData, epochs: int) -> None:
        recipe = self.recipe.model_copy(update={"epochs": epochs, "batch_size": 128})
        on_device = put(data, self.device)
        request = TrialRequest(
            numbers=(0,), seeds=(0,), config=MIXER, recipe=recipe, weights_facts={}
        )
        program = compile_program(MIXER, recipe, on_device, jnp.float32)
        for event in train(request, program, on_device, self.device):
            if isinstance(event, Failed):
                raise SystemExit(f"error: pretraining {event.reason}")
            if isinstance(event, Finished):
                self.pretrained_accuracy = event.accuracy
            if isinstance(event, WeightsSent):
                params = params_in(event.content)
        config, params = with_new_head(MIXER, params, len(VEHICLES))
        self.config = config
        self.start = StartWeights(
            weights_bytes(params, {}),
            tuple(on_device.mean.tolist()),
            tuple(on_device.std.tolist()),
        )
        to_stderr(f"pretrained: accuracy {100 * self.pretrained_accuracy:.1f} % on six animals")

    def _train(self, size: int, start: str, rate: float, seed: int) -> Training:
        given = self.start if start == "pretrained" else None
        on_device = put(few(self.vehicles, size, seed), self.device, given)
        recipe = self.recipe.model_copy(update={"learning_rate": rate})
        if self._program is None:  # one for all: neither size nor rate nor start is part of it
            self._program = compile_program(self.config, recipe, on_device, jnp.float32)
        request = TrialRequest(
            numbers=(0,), seeds=(seed,), config=self.config, recipe=recipe, predicts=True
        )
        params = params_in(given.content) if given else None
        accuracies, seconds = (0.25, 0.25), 0.0  # of guessing, should it diverge
        for event in train(request, self._program, on_device, self.device, params=params):
            if isinstance(event, Predicted):
                accuracies = halves(event.classes == self.vehicles.validation_labels)
            if isinstance(event, Finished | Failed) and event.timing:
                seconds = event.timing.train_seconds
        return Training(
            images_per_class=size,
            start=start,
            learning_rate=rate,
            seed=seed,
            choosing_accuracy=accuracies[0],
            accuracy=accuracies[1],
            train_seconds=seconds,
        )


def of_classes(data: ImageData, names: Sequence[str], kept_out: int = 0) -> ImageData:
    """The images of some classes, labelled from 0 in the order of the data set.

    The first `kept_out` training images validate too.
    """
    labels = sorted(map(data.class_names.index, names))
    train, validation = (
        np.flatnonzero(np.isin(there, labels))
        for there in (data.train_labels, data.validation_labels)
    )
    more, train = train[:kept_out], train[kept_out:]
    return images.from_arrays(
        data.train_images[train],
        np.searchsorted(labels, data.train_labels[train]),
        validation_images=np.concatenate(
            [data.validation_images[validation], data.train_images[more]]
        ),
        validation_labels=np.searchsorted(
            labels, np.concatenate([data.validation_labels[validation], data.train_labels[more]])
        ),
        class_names=np.array([data.class_names[label] for label in labels]),
        report=lambda line: None,
    )


def few(data: ImageData, size: int, seed: int) -> ImageData:
    """So many training images a class, drawn by a seed, and repeated to `SHOWN`."""
    rng = np.random.default_rng([seed, size])
    labels = data.train_labels
    chosen = np.concatenate(
        [
            rng.choice(np.flatnonzero(labels == label), size, replace=False)
            for label in range(data.task.num_classes)
        ]
    )
    chosen = np.resize(chosen, SHOWN)
    return images.from_arrays(
        data.train_images[chosen],
        labels[chosen],
        validation_images=data.validation_images,
        validation_labels=data.validation_labels,
        class_names=np.array(data.class_names),
        report=lambda line: None,
    )


def halves(right: np.ndarray[Any, Any]) -> tuple[float, float]:
    """The shares of every second image, and of the others."""
    return float(right[::2].mean()), float(right[1::2].mean())


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


def report(transfer: Transfer, gains: Sequence[Gain], args: Any, seconds: float) -> str:
    """As Markdown: what was trained, how, and what came of it."""
    environment = find_environment(transfer.device)
    bill = cost(transfer.config)
    kept_out = len(transfer.vehicles.validation_labels)
    steps = transfer.recipe.epochs * (SHOWN // transfer.recipe.batch_size)
    lines = [
        f"{label_of(transfer.config)}, {format_count(bill.flops)}FLOPs, "
        f"{format_count(bill.params)} parameters; pretrained for {args.pretrain_epochs} epochs on "
        f"six classes of animals ({100 * transfer.pretrained_accuracy:.1f} % on validation)",
        f"{steps} steps of {transfer.recipe.batch_size} images each, AdamW; {args.seeds} seeds; "
        f"accuracy on {kept_out // 2:,} vehicles, rates chosen on {kept_out - kept_out // 2:,} "
        "others",
        f"{seconds / 60:.1f} min on {environment.device_kind}, {datetime.now(UTC).date()}, "
        f"revision {environment.git_revision}",
        "",
        table(gains),
    ]
    return "\n".join(lines)


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

    found = [asdict(gain) for gain in gains]
    figure = go.Figure(
        go.Scatter(
            x=[gain["images_per_class"] for gain in found],
            y=[100 * gain["mean"] for gain in found],
            error_y={"type": "data", "array": [100 * gain["half_width"] for gain in found]},
            mode="markers+lines",
        )
    )
    figure.add_hline(y=0, line={"width": 1, "dash": "dot"})
    figure.update_xaxes(type="log", title="Training images a class", tickvals=SIZES)
    figure.update_yaxes(title="Gain in accuracy over from scratch, points")
    figure.update_layout(template="simple_white", width=900, height=520, margin_t=30)
    write_png(figure, path)


if __name__ == "__main__":
    sys.exit(main())
