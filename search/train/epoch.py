"""Training as a function of a key: one dispatch an epoch, its validation included.

A program depends on shapes only: learning rate, weight decay, number of epochs and seed are
arguments, and so is the data set. Augmentation happens inside. Equal arguments give equal results,
bit for bit on a CPU. Several seeds of one network are one program, vectorised over the seed:
whatever differs between seeds has a leading axis for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from search.spec.recipe import Recipe, steps_per_epoch
from search.train.augment import COLOUR, Mixed, augment
from search.train.average import averaged
from search.train.colour import vary_colour
from search.train.device_data import DeviceData
from search.train.optimizer import Hyper, initial_moments, learning_rate, moment_shapes, update
from space.build import build
from space.config import Config
from space.init import initial_params, param_shapes


class TrainState(NamedTuple):
    """What an epoch takes and gives back; its buffers are donated."""

    params: Any
    moments: Any
    step: Any
    average: Any = None
    """Of the weights, where the recipe asks for it."""

    @property
    def validated(self) -> Any:
        """The weights that are validated and kept: their average, where there is one."""
        return self.params if self.average is None else self.average


class EpochMetrics(NamedTuple):
    """What is known of one epoch, a seed along the leading axis; losses and accuracies are means
    over the images seen."""

    train_loss: jax.Array
    train_accuracy: jax.Array
    """Against the dominant label, on the augmented images, while the weights still move."""
    validation_loss: jax.Array
    validation_accuracy: jax.Array
    learning_rate: jax.Array
    """At the last step."""
    bad_step: jax.Array
    """The first step of the epoch whose loss was not finite; -1 if none."""
    validation_classes: jax.Array
    """uint16 [seeds, batches, batch], predicted of every validation image, and of the padding."""


Epoch = Callable[..., tuple[TrainState, EpochMetrics]]
"""state, data, hyper, order, key, learn -> state, metrics; without `learn` it only validates."""


def initial_state(
    config: Config, seeds: Sequence[int], recipe: Recipe, start: Mapping[str, Any] | None = None
) -> TrainState:
    """What there is before the first step, a seed along the leading axis; NumPy arrays.

    Args:
        config: the network.
        seeds: one a training.
        recipe: how it is trained.
        start: the parameter tree that all trainings start from; None: one is drawn for each seed.
    """
    trees = [start or initial_params(config, seed) for seed in seeds]
    params = jax.tree.map(lambda *leaves: np.stack(leaves), *trees)
    moments = initial_moments(learning_part(param_shapes(config), recipe), recipe.optimizer)
    return TrainState(
        params,
        moments=jax.tree.map(lambda leaf: np.stack([leaf] * len(seeds)), moments),
        step=np.zeros(len(seeds), np.int32),
        average=jax.tree.map(np.copy, params) if recipe.ema else None,
    )


def state_shapes(config: Config, num_seeds: int, recipe: Recipe) -> TrainState:
    """As `initial_state`, with a `jax.ShapeDtypeStruct` in place of every array."""
    params = param_shapes(config)
    moments = moment_shapes(learning_part(params, recipe), recipe.optimizer)
    step = jax.ShapeDtypeStruct((), np.int32)
    state = TrainState(params, moments, step, average=params if recipe.ema else None)
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((num_seeds, *leaf.shape), leaf.dtype), state
    )


def learning_part(params: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    """The weights that an optimiser sees, by their names in the network: all, or the head's."""
    return {"head": params["head"]} if recipe.freeze else dict(params)


@partial(jax.jit, static_argnames="num_train")
def shuffle(key: jax.Array, epoch: jax.Array, *, num_train: int) -> tuple[jax.Array, jax.Array]:
    """The order of the training images in an epoch, and the key of its random changes.

    A program of its own, which all networks of a study share: sorting is slow to compile.

    Args:
        key: [seeds], of the trial.
        epoch: its number.
        num_train: how many images there are.

    Returns:
        int32 [seeds, num_train], a permutation in every row; and [seeds] keys.
    """

    def one(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        order_key, step_key = jax.random.split(jax.random.fold_in(key, epoch))
        return jax.random.permutation(order_key, num_train), step_key

    return jax.vmap(one)(key)


def epoch_of(config: Config, recipe: Recipe, dtype: Any, num_seeds: int) -> Epoch:
    """The function that trains an epoch and validates, for so many seeds at once."""
    over = (0, None, None, 0, 0, None)
    one = _one_epoch(build(config, dtype), recipe)
    if num_seeds > 1:
        return jax.vmap(one, in_axes=over)

    def alone(*args: Any) -> tuple[TrainState, EpochMetrics]:  # no batched products of one
        given = [
            arg if axis is None else jax.tree.map(lambda x: x[0], arg)
            for arg, axis in zip(args, over, strict=True)
        ]
        result: tuple[TrainState, EpochMetrics] = jax.tree.map(lambda x: x[None], one(*given))
        return result

    return alone


def _one_epoch(network: Any, recipe: Recipe) -> Epoch:
    batch_size = recipe.batch_size

    def train_step(
        state: TrainState, images: jax.Array, labels: jax.Array, key: jax.Array, hyper: Hyper
    ) -> tuple[TrainState, jax.Array, jax.Array]:
        batch = augment(images, labels, key, recipe.augmentation)

        def objective(part: Any) -> tuple[jax.Array, jax.Array]:
            logits = network.apply({"params": state.params | part}, batch.images)
            return _mixed_loss(logits, batch, hyper.label_smoothing), logits

        part = learning_part(state.params, recipe)
        (loss, logits), gradients = jax.value_and_grad(objective, has_aux=True)(part)
        part, moments = update(gradients, state.moments, part, state.step, hyper, recipe)
        params = state.params | part
        average = state.average
        if recipe.ema:
            average = averaged(average, params, state.step, recipe.ema)
        dominant = jnp.where(batch.share >= 0.5, batch.first, batch.second)
        correct = jnp.mean(jnp.argmax(logits, -1) == dominant, dtype=jnp.float32)
        return TrainState(params, moments, state.step + 1, average), loss, correct

    def train(
        state: TrainState, data: DeviceData, hyper: Hyper, order: jax.Array, key: jax.Array
    ) -> tuple[TrainState, jax.Array, jax.Array, jax.Array]:
        steps = steps_per_epoch(batch_size, data.num_train)

        def body(i: jax.Array, carry: Any) -> Any:
            state, losses, corrects, bad_step = carry
            chosen = jax.lax.dynamic_slice(order, (i * batch_size,), (batch_size,))
            step_key = jax.random.fold_in(key, i) if recipe.augmentation.is_random else key
            pixels = data.train_images[chosen]
            if recipe.augmentation.changes_colour:
                pixels = vary_colour(
                    pixels, jax.random.fold_in(step_key, COLOUR), recipe.augmentation
                )
            images = data.normalise(pixels)
            labels = data.train_labels[chosen]
            state, loss, correct = train_step(state, images, labels, step_key, hyper)
            is_first_bad = (bad_step < 0) & ~jnp.isfinite(loss)
            return state, losses + loss, corrects + correct, jnp.where(is_first_bad, i, bad_step)

        # the number of steps is part of the program: a loop of unknown length would have a GPU
        # ask the host before every step
        nothing = (state, jnp.float32(0), jnp.float32(0), jnp.int32(-1))
        state, losses, corrects, bad_step = jax.lax.fori_loop(0, steps, body, nothing)
        return state, losses / steps, corrects / steps, bad_step

    def validate(params: Any, data: DeviceData) -> tuple[jax.Array, jax.Array, jax.Array]:
        def body(_: None, batch: tuple[jax.Array, jax.Array]) -> tuple[None, Any]:
            images, labels = batch
            logits = network.apply({"params": params}, data.normalise(images))
            real = labels >= 0
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.maximum(labels, 0))
            loss = jnp.sum(jnp.where(real, losses, 0.0))
            classes = jnp.argmax(logits, -1)
            return None, (loss, jnp.sum(real & (classes == labels)), classes.astype(jnp.uint16))

        batches = (data.validation_images, data.validation_labels)
        _, (losses, corrects, classes) = jax.lax.scan(body, None, batches)
        count = jnp.sum(data.validation_labels >= 0)
        return jnp.sum(losses) / count, jnp.sum(corrects) / count, classes

    def epoch(
        state: TrainState,
        data: DeviceData,
        hyper: Hyper,
        order: jax.Array,
        key: jax.Array,
        learn: jax.Array,
    ) -> tuple[TrainState, EpochMetrics]:
        state, train_loss, train_accuracy, bad_step = jax.lax.cond(
            learn,
            lambda state: train(state, data, hyper, order, key),
            lambda state: (state, jnp.float32(0), jnp.float32(0), jnp.int32(-1)),
            state,
        )
        validation_loss, validation_accuracy, validation_classes = validate(state.validated, data)
        return state, EpochMetrics(
            train_loss=train_loss,
            train_accuracy=train_accuracy,
            validation_loss=validation_loss,
            validation_accuracy=validation_accuracy,
            learning_rate=learning_rate(state.step - 1, hyper, recipe.schedule),
            bad_step=bad_step,
            validation_classes=validation_classes,
        )

    return epoch


def _mixed_loss(logits: jax.Array, batch: Mixed, smoothing: jax.Array) -> jax.Array:
    """Mean cross-entropy in nats against smoothed labels, shared out over two for a mixture."""
    num_classes = logits.shape[-1]
    target = jax.nn.one_hot(batch.first, num_classes)
    if batch.second is not batch.first:  # known when it is traced: less to compile
        target = batch.share * target + (1 - batch.share) * jax.nn.one_hot(
            batch.second, num_classes
        )
    target = (1 - smoothing) * target + smoothing / num_classes
    return -jnp.mean(jnp.sum(target * jax.nn.log_softmax(logits), axis=-1))
