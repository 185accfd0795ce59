"""Trainings that start from given weights: what they see, what learns, where they go on."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from records import mixer, vit
from safetensors import safe_open

from search import data as images
from search.data import ImageData
from search.protocol import (
    CheckpointPolicy,
    EpochDone,
    Event,
    Predicted,
    StartWeights,
    TrialRequest,
    WeightsSent,
)
from search.spec.recipe import Augmentation, Recipe
from search.study.finetuning_network import with_new_head
from search.train.device_data import put
from search.train.engine import Engine
from search.train.predict import predict
from space.config import Config
from space.init import initial_params
from space.weights_file import params_in, weights_bytes

MIXER = mixer(patch_size=4, num_blocks=1)
RECIPE = Recipe(
    epochs=2,
    batch_size=64,
    learning_rate=0.05,
    weight_decay=0.1,
    optimizer="sgd",
    augmentation=Augmentation(crop_padding=1),
)
MEAN, STD = (30.0,), (200.0,)
"""Far from those of the digits, 78 and 95."""


@pytest.fixture(scope="module")
def digits() -> ImageData:
    return images.load("digits", train_limit=256)


def start_of(config: Config) -> StartWeights:
    """Weights that no seed of a training draws, with the head of a fine-tuning."""
    _, params = with_new_head(config, initial_params(config, seed=99), config.num_classes)
    return StartWeights(weights_bytes(params, {}), MEAN, STD)


START = start_of(MIXER)


@pytest.fixture(scope="module")
def engine(digits: ImageData) -> Iterator[Engine]:
    device = jax.devices("cpu")[0]
    with Engine(put(digits, device, START), device, start=START) as opened:
        yield opened


def request(recipe: Recipe = RECIPE, **changes: Any) -> TrialRequest:
    given = TrialRequest(
        numbers=(0,),
        seeds=(3,),
        config=MIXER,
        recipe=recipe,
        weights_facts={},
        predicts=True,
        starts_from=START.digest,
    )
    return replace(given, **changes)


def sent(events: list[Event]) -> bytes:
    (found,) = (event.content for event in events if isinstance(event, WeightsSent))
    return found


def flat(content: bytes) -> dict[str, Any]:
    leaves = jax.tree_util.tree_leaves_with_path(params_in(content))
    return {"/".join(key.key for key in path): leaf for path, leaf in leaves}


@pytest.mark.parametrize("optimizer", ["sgd", "muon"])
def test_of_frozen_weights_the_head_learns_and_no_other_moves(
    engine: Engine, optimizer: str
) -> None:
    """Not by weight decay either, nor by clipping."""
    recipe = RECIPE.model_copy(update={"freeze": True, "optimizer": optimizer, "epochs": 1})
    after, before = flat(sent(list(engine.run(request(recipe))))), flat(START.content)
    moved = {path for path in before if not np.array_equal(before[path], after[path])}
    assert moved == {"head/kernel", "head/bias"}


def test_a_vision_transformer_is_probed_in_the_same_way(digits: ImageData) -> None:
    config = vit(patch_size=4, num_blocks=1)
    start, device = start_of(config), jax.devices("cpu")[0]
    recipe = RECIPE.model_copy(update={"freeze": True, "epochs": 1})
    with Engine(put(digits, device, start), device, start=start) as engine:
        wanted = request(recipe, config=config, starts_from=start.digest)
        after, before = flat(sent(list(engine.run(wanted)))), flat(start.content)
    moved = {path for path in before if not np.array_equal(before[path], after[path])}
    assert moved == {"head/kernel", "head/bias"}


def test_the_first_loss_is_that_of_guessing_and_all_weights_learn(engine: Engine) -> None:
    slow = RECIPE.model_copy(update={"learning_rate": 1e-9, "weight_decay": 0.0, "epochs": 1})
    (told,) = [e for e in engine.run(request(slow)) if isinstance(e, EpochDone)]
    assert told.epochs[0].train_loss == pytest.approx(math.log(10), abs=1e-6)
    assert told.epochs[0].validation_loss == pytest.approx(math.log(10), abs=1e-6)
    after, before = flat(sent(list(engine.run(request())))), flat(START.content)
    assert not [path for path in before if np.array_equal(before[path], after[path])]


def test_pixels_are_normalised_as_the_weights_know_them(
    engine: Engine, digits: ImageData, tmp_path: Path
) -> None:
    events = list(engine.run(request()))
    file = tmp_path / "trained.safetensors"
    file.write_bytes(sent(events))
    with safe_open(file, framework="np") as opened:
        facts = opened.metadata()
    assert (json.loads(facts["pixel_mean"]), json.loads(facts["pixel_std"])) == ([30.0], [200.0])
    (predicted,) = (event for event in events if isinstance(event, Predicted))
    params, device = [params_in(sent(events))], jax.devices("cpu")[0]
    again, other = (
        predict(MIXER, params, digits.validation_images, *moments, device)[0]
        for moments in ((MEAN, STD), ((78.0,), (95.0,)))
    )
    assert np.array_equal(predicted.classes, again)
    assert not np.array_equal(predicted.classes, other)


def test_an_interrupted_probe_ends_bit_for_bit_as_if_it_never_was(
    engine: Engine, tmp_path: Path
) -> None:
    recipe = RECIPE.model_copy(update={"freeze": True, "ema": 0.9})
    kept = CheckpointPolicy(tmp_path / "0.checkpoint", every_seconds=0)
    wanted = request(recipe, checkpointing=kept)
    first = list(engine.run(wanted, is_interrupted=lambda: True))
    assert [e.epochs[0].epoch for e in first if isinstance(e, EpochDone)] == [1]
    last = list(engine.run(wanted))
    assert [e.epochs[0].epoch for e in last if isinstance(e, EpochDone)] == [2]
    assert sent(last) == sent(list(engine.run(replace(wanted, checkpointing=None))))


def test_seeds_that_train_together_start_from_the_same_weights(engine: Engine) -> None:
    """What they see differs, so that they part."""
    both = request(numbers=(0, 1), seeds=(3, 4))
    contents = [e.content for e in engine.run(both) if isinstance(e, WeightsSent)]
    first, second = map(flat, contents)
    assert not np.array_equal(first["head/kernel"], second["head/kernel"])
    near, far = (
        np.abs(first["stem/kernel"] - other["stem/kernel"]).max()
        for other in (second, {"stem/kernel": initial_params(MIXER, seed=3)["stem"]["kernel"]})
    )
    assert near < far / 2
