"""The trainings of `transfer.py`: a Mixer pretrained on some classes, then trained on few images of
others, from its weights and from drawn ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from transfer_gains import CHOOSING, STARTS, Training, best_rate

from search import data as images
from search.data import ImageData
from search.data.loading import to_stderr
from search.protocol import Failed, Finished, Predicted, StartWeights, TrialRequest, WeightsSent
from search.spec.recipe import Augmentation, Recipe
from search.study.finetuning_network import with_new_head
from search.train.device_data import put
from search.train.devices import choose
from search.train.program import Program, compile_program
from search.train.trial import train
from space.config import MixerConfig
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
KEPT_OUT = 2_000
"""Training images of vehicles that validate, beside those of the data set's own split."""
SHOWN = 8_000
"""Images in what the engine takes for an epoch: the few there are, repeated."""


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
