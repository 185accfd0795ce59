"""The average of the weights, held against its definition, and what is validated and kept of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax.traverse_util import unflatten_dict
from records import mixer
from safetensors.numpy import load as load_weights

from search import data as images
from search.protocol import (
    CheckpointPolicy,
    EpochDone,
    Event,
    TrialRequest,
    WeightsOffered,
    WeightsSent,
)
from search.spec.recipe import Recipe
from search.train.average import averaged
from search.train.device_data import DeviceData, put
from search.train.engine import Engine
from search.train.epoch import initial_state, shuffle
from search.train.optimizer import hyper_of
from search.train.program import Program, compile_program
from space.build import build

CONFIG = mixer(num_blocks=1)
RECIPE = Recipe(epochs=3, batch_size=32, learning_rate=1e-2, ema=0.9)
STEPS = 3
PLAIN = RECIPE.model_copy(update={"ema": 0.0})


@pytest.fixture(scope="module")
def data() -> DeviceData:
    """96 images to train on, in three batches."""
    return put(images.load("digits", train_limit=96), jax.devices()[0])


@pytest.mark.parametrize("decay", [0.5, 0.9, 0.999, 0.99999])
def test_the_average_is_the_weighted_mean_that_it_is_defined_as(decay: float) -> None:
    weights = np.random.default_rng(0).normal(5, 1, (40, 3))
    average = {"w": jnp.full(3, -50.0)}  # what it starts from has no part in it
    take_in = jax.jit(averaged, static_argnums=3)
    for step, now in enumerate(weights):
        average = take_in(average, {"w": jnp.float32(now)}, jnp.int32(step), decay)
        total, shares = np.zeros(3), 0.0
        for i in range(step + 1):
            total += decay ** (step - i) * weights[i]
            shares += decay ** (step - i)
        np.testing.assert_allclose(average["w"], total / shares, rtol=1e-5)


def test_validation_is_of_the_average_of_the_weights_after_every_step(data: DeviceData) -> None:
    """Step by step, from a program without the average that trains one step an epoch."""
    program = compile_program(CONFIG, RECIPE, data, jnp.float32)
    state = jax.device_put(initial_state(CONFIG, [0], RECIPE), may_alias=False)
    order, keys = shuffle(jax.random.key(0)[None], jnp.int32(1), num_train=data.num_train)
    hyper = hyper_of(RECIPE, STEPS)
    state, metrics = program.epoch(state, data, hyper, order, keys, jnp.bool(True))

    single: Program | None = None
    one_by_one = jax.device_put(initial_state(CONFIG, [0], PLAIN), may_alias=False)
    seen = []
    for i in range(STEPS):
        chosen = order[0, 32 * i : 32 * (i + 1)]
        batch = data._replace(
            train_images=data.train_images[chosen], train_labels=data.train_labels[chosen]
        )
        single = single or compile_program(CONFIG, PLAIN, batch, jnp.float32)
        whole = jnp.arange(32, dtype=jnp.int32)[None]
        one_by_one, _ = single.epoch(one_by_one, batch, hyper, whole, keys, jnp.bool(True))
        seen.append(jax.tree.map(lambda leaf: np.asarray(leaf[0], np.float64), one_by_one.params))
    mean = jax.tree.map(lambda a, b, c: (0.81 * a + 0.9 * b + c) / (0.81 + 0.9 + 1), *seen)
    for got, want in zip(jax.tree.leaves(state.average), jax.tree.leaves(mean), strict=True):
        np.testing.assert_allclose(got[0], want, atol=2e-6)
    np.testing.assert_allclose(  # the weights themselves go on as without an average
        jax.tree.leaves(state.params)[0][0], jax.tree.leaves(seen[-1])[0], atol=1e-6
    )
    loss = validation_loss(jax.tree.map(np.float32, mean), data)
    assert float(metrics.validation_loss[0]) == pytest.approx(loss, rel=1e-5)


def validation_loss(params: Any, data: DeviceData) -> float:
    """In nats, without a program of ours."""
    pixels, labels = data.validation_images[0], data.validation_labels[0]
    logits = build(CONFIG).apply({"params": params}, data.normalise(pixels))
    nats = optax.losses.softmax_cross_entropy_with_integer_labels(logits, labels)
    return float(nats.mean())


@pytest.mark.parametrize("optimizer", ["adamw", pytest.param("muon", marks=pytest.mark.slow)])
def test_interrupted_a_trial_ends_bit_for_bit_as_if_it_never_was_and_keeps_the_average(
    optimizer: str, data: DeviceData, tmp_path: Path
) -> None:
    device = jax.devices()[0]
    request = TrialRequest(
        numbers=(0, 1),
        seeds=(0, 1),
        config=CONFIG,
        recipe=RECIPE.model_copy(update={"optimizer": optimizer, "schedule": "linear"}),
        checkpointing=CheckpointPolicy(tmp_path / "0.checkpoint", every_seconds=0),
        weights_facts={},
    )
    with Engine(data, device) as engine:
        whole = list(engine.run(replace(request, checkpointing=None)))
        first = list(engine.run(request, is_interrupted=lambda: True))
        last = list(engine.run(request))
    assert losses(whole) == [*losses(first), *losses(last)]
    assert len(losses(first)) == 2
    kept, again = (
        {e.trial: e.content for e in events if isinstance(e, WeightsSent)}
        for events in (whole, last)
    )
    assert kept == again
    assert len([e for e in whole if isinstance(e, WeightsOffered)]) == 1
    for trial, content in kept.items():
        variables = unflatten_dict(load_weights(content), sep="/")
        loss = validation_loss(variables["params"], data)
        assert losses(whole)[-2 + trial][2] == pytest.approx(loss, rel=1e-4)


def losses(events: list[Event]) -> list[tuple[int, int, float, float]]:
    """Trial, epoch, validation loss and training loss."""
    return [
        (e.trial, e.epoch, e.validation_loss, e.train_loss)
        for event in events
        if isinstance(event, EpochDone)
        for e in event.epochs
    ]
