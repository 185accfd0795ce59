"""An epoch, its validation included, held against a plain loop over the same batches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from search.data import ImageData
from search.spec.recipe import Augmentation, Recipe
from search.train.augment import Mixed, augment
from search.train.device_data import EVAL_BATCH, DeviceData, put
from search.train.epoch import EpochMetrics, TrainState, initial_state, shuffle
from search.train.optimizer import hyper_of
from search.train.program import Program, compile_program
from space.build import build
from space.config import ImageTask, MixerConfig

TASK = ImageTask(image_size=8, image_channels=3, num_classes=5)
MIXER = MixerConfig(
    **TASK.model_dump(),
    patch_size=4,
    hidden_dim=8,
    num_blocks=1,
    tokens_mlp_dim=6,
    channels_mlp_dim=10,
)
RECIPE = Recipe(
    epochs=2,
    batch_size=8,
    learning_rate=1e-2,
    warmup=0.25,
    weight_decay=0.2,
    label_smoothing=0.2,
    clip_norm=0.5,
    augmentation=Augmentation(mixup_alpha=1.0),
)
STEPS = 4
RATES = [0.005, 0.01, 0.01, 0.00933012702, 0.0075, 0.005, 0.0025, 0.000669872981]
"""Two steps up; then (1 + cos(k π / 6)) / 2 of the peak, k = 0 to 5."""


@pytest.fixture(scope="module")
def images() -> ImageData:
    """37 images to train on, five of which sit an epoch out; to validate, one batch and one."""
    rng = np.random.default_rng(0)
    counts = (37, EVAL_BATCH + 1)
    train, validation = (
        rng.integers(0, (64, 128, 256), (count, 8, 8, 3)).astype(np.uint8) for count in counts
    )
    labels = [rng.integers(0, 5, count).astype(np.int32) for count in counts]
    return ImageData(
        "noise", TASK, train, labels[0], validation, labels[1], "", tuple("abcde"), "stratified"
    )


@pytest.fixture(scope="module")
def data(images: ImageData) -> DeviceData:
    return put(images, jax.devices()[0])


@pytest.fixture(scope="module")
def program(data: DeviceData) -> Program:
    return compile_program(MIXER, RECIPE, data, jnp.float32)


def random_state() -> TrainState:
    """Nothing in it is zero or one, as the head and the norms are at the start."""
    state, rng = initial_state(MIXER, [0], RECIPE), np.random.default_rng(1)
    params = jax.tree.map(
        lambda leaf: (leaf + 0.3 * rng.normal(size=leaf.shape)).astype(np.float32), state.params
    )
    return jax.device_put(state._replace(params=params), may_alias=False)


def normalised(pixels: np.ndarray, images: ImageData) -> jax.Array:
    of_train = images.train_images.astype(np.float64)
    normal = (pixels - of_train.mean((0, 1, 2))) / of_train.std((0, 1, 2))
    return jnp.asarray(normal, jnp.float32)


def mixed_loss(logits: jax.Array, batch: Mixed, smoothing: float = 0.2) -> jax.Array:
    """Cross-entropy with each label in its share (Zhang et al. 2018, Yun et al. 2019).

    Smoothing (Szegedy et al. 2016) asks for every class alike in a part of it.
    """
    nats = optax.losses.softmax_cross_entropy_with_integer_labels
    one, other = nats(logits, batch.first).mean(), nats(logits, batch.second).mean()
    of_all = -jax.nn.log_softmax(logits).mean()
    return (1 - smoothing) * (batch.share * one + (1 - batch.share) * other) + smoothing * of_all


def in_plain_python(
    images: ImageData, params: Any, orders: list[np.ndarray], keys: list[jax.Array]
) -> tuple[list[list[float]], list[float]]:
    """Training loss, training accuracy, validation loss, validation accuracy of two epochs.

    And all shares in which images were mixed.
    """
    decays = jax.tree_util.tree_map_with_path(lambda path, _: path[-1].key == "kernel", params)
    optimizer = optax.chain(
        optax.clip_by_global_norm(0.5),
        optax.adamw(lambda step: jnp.asarray(RATES)[step], weight_decay=0.2, mask=decays),
    )
    logits_of = jax.jit(lambda params, x: build(MIXER).apply({"params": params}, x))

    @jax.jit
    def step(params: Any, moments: Any, x: jax.Array, labels: jax.Array, key: jax.Array) -> Any:
        batch = augment(x, labels, key, RECIPE.augmentation)

        def loss(params: Any) -> tuple[jax.Array, jax.Array]:
            logits = logits_of(params, batch.images)
            return mixed_loss(logits, batch), logits

        (value, logits), gradients = jax.value_and_grad(loss, has_aux=True)(params)
        updates, moments = optimizer.update(gradients, moments, params)
        return optax.apply_updates(params, updates), moments, value, logits, batch

    moments = optimizer.init(params)
    figures, shares = [], []
    for order, key in zip(orders, keys, strict=True):
        losses, right = [], []
        for i in range(STEPS):
            chosen = order[8 * i : 8 * (i + 1)]
            x, labels = normalised(images.train_images[chosen], images), images.train_labels[chosen]
            step_key = jax.random.fold_in(key, i)
            params, moments, loss, logits, batch = step(params, moments, x, labels, step_key)
            shares.append(float(batch.share))
            label = np.asarray(batch.first if shares[-1] >= 0.5 else batch.second)
            losses.append(float(loss))
            right += (np.argmax(logits, -1) == label).tolist()
        logits = logits_of(params, normalised(images.validation_images, images))
        labels = images.validation_labels
        nats = -np.asarray(jax.nn.log_softmax(logits))[np.arange(len(labels)), labels]
        hits = np.argmax(logits, -1) == labels
        figures.append([np.mean(losses), np.mean(right), nats.mean(), hits.mean()])
    return figures, shares


def one_epoch(
    program: Program, state: TrainState, data: DeviceData, number: int
) -> tuple[TrainState, EpochMetrics, np.ndarray, jax.Array]:
    order, key = shuffle(jax.random.key(3)[None], jnp.int32(number), num_train=data.num_train)
    hyper = hyper_of(RECIPE, STEPS)
    state, metrics = program.epoch(state, data, hyper, order, key, jnp.bool(True))
    return state, metrics, np.asarray(order[0]), key[0]


def test_two_epochs_are_what_a_plain_loop_makes_of_the_same_batches(
    images: ImageData, data: DeviceData, program: Program
) -> None:
    """Loss, clipping, optimiser, schedule, and validation that the filled-up batch is not in."""
    params = jax.tree.map(lambda leaf: leaf[0], random_state().params)
    state, first, *one = one_epoch(program, random_state(), data, 1)
    _, second, *two = one_epoch(program, state, data, 2)
    expected, shares = in_plain_python(images, params, [one[0], two[0]], [one[1], two[1]])
    assert min(shares) < 0.45 < 0.55 < max(shares), "either label is the dominant one"
    got = [[float(value[0]) for value in metrics[:4]] for metrics in (first, second)]
    np.testing.assert_allclose(got, expected, rtol=2e-4)
    np.testing.assert_allclose(
        [first.learning_rate[0], second.learning_rate[0]], [RATES[3], RATES[7]], rtol=1e-4
    )


def test_the_class_of_every_validation_image_is_the_one_that_its_accuracy_counts(
    images: ImageData, data: DeviceData, program: Program
) -> None:
    state, metrics, *_ = one_epoch(program, random_state(), data, 1)
    params = jax.tree.map(lambda leaf: leaf[0], state.params)
    logits = build(MIXER).apply({"params": params}, normalised(images.validation_images, images))
    classes = np.asarray(metrics.validation_classes)
    assert (classes.shape, classes.dtype) == ((1, 2, EVAL_BATCH), np.uint16)
    found = classes.ravel()[: len(images.validation_labels)]
    assert len(set(found.tolist())) > 2
    np.testing.assert_array_equal(found, np.argmax(logits, -1))
    right = np.mean(found == images.validation_labels)
    np.testing.assert_allclose(metrics.validation_accuracy, [right], rtol=1e-7)


@pytest.mark.parametrize("step", range(STEPS))
def test_the_first_step_with_a_loss_that_is_not_finite_is_the_one_named(
    data: DeviceData, program: Program, step: int
) -> None:
    """One image is beyond float32, all others are black; all later steps are bad as well."""
    order, _ = shuffle(jax.random.key(3)[None], jnp.int32(1), num_train=data.num_train)
    bright = jnp.zeros_like(data.train_images).at[order[0, 8 * step + 3]].set(255)
    faint = jnp.full_like(data.mean, 7e-37)
    wild = data._replace(train_images=bright, mean=jnp.zeros_like(data.mean), std=faint)
    _, metrics, *_ = one_epoch(program, random_state(), wild, 1)
    assert metrics.bad_step.tolist() == [step]
    assert not np.isfinite(metrics.train_loss[0])


def test_a_channel_of_a_single_value_becomes_zero(images: ImageData) -> None:
    """As in grey images or with a blank border: nothing is divided by a spread of zero."""
    flat = images.train_images.copy()
    flat[..., 1] = 7
    data = put(replace(images, train_images=flat), jax.devices()[0])
    normal = np.asarray(data.normalise(data.train_images), np.float64)
    np.testing.assert_allclose(normal[..., 1], 0)
    np.testing.assert_allclose(normal[..., ::2].mean((0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(normal[..., ::2].std((0, 1, 2)), 1, atol=1e-5)
