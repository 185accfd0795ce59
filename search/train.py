"""Training as a function of a key: one dispatch an epoch, its validation included.

A program is compiled once for a configuration and depends on shapes only: learning rate, weight
decay, number of epochs and seed are arguments, and so is the data set. Shuffling and augmentation
happen inside. Equal arguments give equal results, bit for bit on a CPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from search.augment import Mixed, augment
from search.device_data import DeviceData
from search.recipe import Recipe
from space.build import build
from space.config import Config


class TrainState(NamedTuple):
    """What an epoch takes and gives back; its buffers are donated."""

    params: Any
    opt_state: Any
    step: jax.Array


class Hyper(NamedTuple):
    """The numbers of a recipe, float32 scalars: arguments of the program, not part of it."""

    learning_rate: jax.Array
    warmup_steps: jax.Array
    total_steps: jax.Array
    weight_decay: jax.Array
    label_smoothing: jax.Array
    clip_norm: jax.Array


class EpochMetrics(NamedTuple):
    """Scalars of one epoch, means over the images seen."""

    train_loss: jax.Array
    train_accuracy: jax.Array
    """Against the dominant label, on the augmented images, while the weights still move."""
    validation_loss: jax.Array
    validation_accuracy: jax.Array
    learning_rate: jax.Array
    """At the last step."""
    bad_step: jax.Array
    """The first step of the epoch whose loss was not finite; -1 if none."""


@dataclass(frozen=True)
class Program:
    """A configuration compiled for a data set, a batch size and a device."""

    init: Callable[[jax.Array], TrainState]
    """key -> state"""
    epoch: Callable[..., tuple[TrainState, EpochMetrics]]
    """state, data, hyper, key, epoch, steps -> state, metrics; 0 steps validates only"""
    compile_seconds: float


def steps_per_epoch(recipe: Recipe, num_train: int) -> int:
    """Whole batches in the training set.

    The images beyond the last whole batch sit an epoch out, other ones each time, so that every
    step has one shape.
    """
    return num_train // recipe.batch_size


def hyper_of(recipe: Recipe, num_train: int) -> Hyper:
    """The recipe's numbers for a training set of that size."""
    total = recipe.epochs * steps_per_epoch(recipe, num_train)
    return Hyper(
        learning_rate=jnp.float32(recipe.learning_rate),
        warmup_steps=jnp.float32(recipe.warmup * total),
        total_steps=jnp.float32(total),
        weight_decay=jnp.float32(recipe.weight_decay),
        label_smoothing=jnp.float32(recipe.label_smoothing),
        clip_norm=jnp.float32(recipe.clip_norm),
    )


def learning_rate(step: jax.Array, hyper: Hyper) -> jax.Array:
    """Linear warm-up to the peak, then half a cosine down to zero at `total_steps`."""
    climb = (step + 1) / jnp.maximum(hyper.warmup_steps, 1)
    rest = jnp.maximum(hyper.total_steps - hyper.warmup_steps, 1)
    fall = 0.5 * (1 + jnp.cos(jnp.pi * jnp.clip((step - hyper.warmup_steps) / rest, 0, 1)))
    return hyper.learning_rate * jnp.where(step < hyper.warmup_steps, climb, fall)


def compile_program(config: Config, recipe: Recipe, data: DeviceData, dtype: Any) -> Program:
    """Traces, lowers and compiles initialisation and epoch, ahead of time.

    Args:
        config: the network.
        recipe: its batch size and augmentation are part of the program, its numbers are not.
        data: on the device to compile for; only shapes matter.
        dtype: of the computation.

    Raises:
        jax.errors.JaxRuntimeError: `RESOURCE_EXHAUSTED` where the program cannot fit the device.
    """
    began = time.perf_counter()
    (device,) = data.mean.devices()
    network = build(config, dtype)
    init = jax.jit(_init_of(network, config), device=device)
    epoch = jax.jit(_epoch_of(network, recipe), donate_argnums=0)
    key = jax.device_put(jax.random.key(0), device)
    state = jax.eval_shape(init, key)
    hyper = hyper_of(recipe, data.num_train)
    number = jnp.int32(0)
    # initialisation runs once and is mostly random numbers: optimising it costs a CPU more than
    # it saves
    quick: dict[str, str | bool] = {}
    if device.platform == "cpu":
        quick["xla_backend_optimization_level"] = "0"
    return Program(
        init=init.lower(key).compile(compiler_options=quick),
        epoch=epoch.lower(state, data, hyper, key, number, number).compile(),
        compile_seconds=time.perf_counter() - began,
    )


def _init_of(network: Any, config: Config) -> Callable[[jax.Array], TrainState]:
    def init(key: jax.Array) -> TrainState:
        image = jnp.zeros((1, config.image_size, config.image_size, config.image_channels))
        params = network.init(key, image)["params"]
        return TrainState(params, _optimizer().init(params), jnp.int32(0))

    return init


def _epoch_of(network: Any, recipe: Recipe) -> Callable[..., tuple[TrainState, EpochMetrics]]:
    batch_size = recipe.batch_size

    def train_step(
        state: TrainState, images: jax.Array, labels: jax.Array, key: jax.Array, hyper: Hyper
    ) -> tuple[TrainState, jax.Array, jax.Array]:
        batch = augment(images, labels, key, recipe.augmentation)

        def objective(params: Any) -> tuple[jax.Array, jax.Array]:
            logits = network.apply({"params": params}, batch.images)
            return _mixed_loss(logits, batch, hyper.label_smoothing), logits

        (loss, logits), gradients = jax.value_and_grad(objective, has_aux=True)(state.params)
        updates, opt_state = _optimizer(hyper, state.step).update(
            gradients, state.opt_state, state.params
        )
        params = optax.apply_updates(state.params, updates)
        dominant = jnp.where(batch.share >= 0.5, batch.first, batch.second)
        correct = jnp.mean(jnp.argmax(logits, -1) == dominant, dtype=jnp.float32)
        return TrainState(params, opt_state, state.step + 1), loss, correct

    def train(
        state: TrainState,
        data: DeviceData,
        hyper: Hyper,
        key: jax.Array,
        steps: jax.Array,
    ) -> tuple[TrainState, jax.Array, jax.Array, jax.Array]:
        order_key, step_key = jax.random.split(key)
        order = jax.random.permutation(order_key, data.num_train)

        def body(i: jax.Array, carry: Any) -> Any:
            state, losses, corrects, bad_step = carry
            chosen = jax.lax.dynamic_slice(order, (i * batch_size,), (batch_size,))
            images = data.normalise(data.train_images[chosen])
            labels = data.train_labels[chosen]
            state, loss, correct = train_step(
                state, images, labels, jax.random.fold_in(step_key, i), hyper
            )
            is_first_bad = (bad_step < 0) & ~jnp.isfinite(loss)
            return state, losses + loss, corrects + correct, jnp.where(is_first_bad, i, bad_step)

        zero = jnp.float32(0)
        # a loop whose length is an argument: with 0 steps the same program only validates, which
        # is how validation is timed apart from training
        state, losses, corrects, bad_step = jax.lax.fori_loop(
            0, steps, body, (state, zero, zero, jnp.int32(-1))
        )
        count = jnp.maximum(steps, 1)
        return state, losses / count, corrects / count, bad_step

    def validate(params: Any, data: DeviceData) -> tuple[jax.Array, jax.Array]:
        def body(_: None, batch: tuple[jax.Array, jax.Array]) -> tuple[None, Any]:
            images, labels = batch
            logits = network.apply({"params": params}, data.normalise(images))
            real = labels >= 0
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.maximum(labels, 0))
            loss = jnp.sum(jnp.where(real, losses, 0.0))
            return None, (loss, jnp.sum(real & (jnp.argmax(logits, -1) == labels)))

        batches = (data.validation_images, data.validation_labels)
        _, (losses, corrects) = jax.lax.scan(body, None, batches)
        count = jnp.sum(data.validation_labels >= 0)
        return jnp.sum(losses) / count, jnp.sum(corrects) / count

    def epoch(
        state: TrainState,
        data: DeviceData,
        hyper: Hyper,
        key: jax.Array,
        number: jax.Array,
        steps: jax.Array,
    ) -> tuple[TrainState, EpochMetrics]:
        state, train_loss, train_accuracy, bad_step = train(
            state, data, hyper, jax.random.fold_in(key, number), steps
        )
        validation_loss, validation_accuracy = validate(state.params, data)
        return state, EpochMetrics(
            train_loss=train_loss,
            train_accuracy=train_accuracy,
            validation_loss=validation_loss,
            validation_accuracy=validation_accuracy,
            learning_rate=learning_rate(state.step - 1, hyper),
            bad_step=bad_step,
        )

    return epoch


def _optimizer(
    hyper: Hyper | None = None, step: jax.Array | None = None
) -> optax.GradientTransformation:
    """AdamW (Loshchilov & Hutter 2019) with decay on kernels only; its state holds no numbers.

    Made anew inside the step, from that step's numbers; without them, only to make its state.
    """
    if hyper is None or step is None:
        return optax.chain(
            optax.clip_by_global_norm(1.0),
            optax.scale_by_adam(),
            optax.add_decayed_weights(0.0, _is_kernel),
            optax.scale(0.0),
        )
    return optax.chain(
        optax.clip_by_global_norm(hyper.clip_norm),
        optax.scale_by_adam(),
        optax.add_decayed_weights(hyper.weight_decay, _is_kernel),
        optax.scale(-learning_rate(step, hyper)),
    )


def _is_kernel(params: Any) -> Any:
    """The tree with True where weight decay belongs."""
    return jax.tree_util.tree_map_with_path(lambda path, _: path[-1].key == "kernel", params)


def _mixed_loss(logits: jax.Array, batch: Mixed, smoothing: jax.Array) -> jax.Array:
    """Mean cross-entropy in nats against smoothed labels, shared out over two for a mixture."""
    log_p = jax.nn.log_softmax(logits)
    first = jnp.take_along_axis(log_p, batch.first[:, None], axis=-1)[:, 0]
    second = jnp.take_along_axis(log_p, batch.second[:, None], axis=-1)[:, 0]
    target = batch.share * first + (1 - batch.share) * second
    return -jnp.mean((1 - smoothing) * target + smoothing * jnp.mean(log_p, axis=-1))
