"""What a training makes of the validation images, and its kept weights after it: the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from records import mixer, vit
from safetensors.numpy import load

from search import data as images
from search.protocol import (
    CheckpointPolicy,
    EpochDone,
    Event,
    Finished,
    Predicted,
    TrialRequest,
    WeightsSent,
)
from search.spec.recipe import Recipe
from search.train import predict as predict_module
from search.train.device_data import DeviceData, put
from search.train.engine import Engine
from search.train.predict import predict
from space.config import Config
from space.init import initial_params
from space.weights_file import params_of

DIGITS = images.load("digits", train_limit=300)
LABELS = DIGITS.validation_labels
RECIPE = Recipe(epochs=3, batch_size=32, learning_rate=5e-3)
MIXER, VIT = mixer(num_blocks=1), vit(num_blocks=1)


@pytest.fixture(scope="module")
def data() -> DeviceData:
    return put(DIGITS, jax.devices()[0])


@pytest.fixture(scope="module")
def engine(data: DeviceData) -> Iterator[Engine]:
    with Engine(data, jax.devices()[0]) as opened:
        yield opened


def request(*seeds: int, config: Config = MIXER) -> TrialRequest:
    return TrialRequest(
        numbers=tuple(10 + seed for seed in seeds),
        seeds=seeds,
        config=config,
        recipe=RECIPE,
        weights_facts={},
        predicts=True,
    )


def classes(events: list[Event]) -> dict[int, list[int]]:
    """Of every trial that predicted, by number."""
    return {e.trial: e.classes.tolist() for e in events if isinstance(e, Predicted)}


def from_weights(
    events: list[Event], config: Config, data: DeviceData, **options: int
) -> dict[int, list[int]]:
    """What the weights that were sent predict, as a reader of their files would."""
    sent = {e.trial: params_of(load(e.content)) for e in events if isinstance(e, WeightsSent)}
    device = jax.devices()[0]
    found = predict(
        config,
        [*sent.values()],
        DIGITS.validation_images,
        data.mean.tolist(),
        data.std.tolist(),
        device,
        **options,
    )
    assert found.dtype == np.uint16
    return dict(zip(sent, found.tolist(), strict=True))


@pytest.mark.parametrize("config", [MIXER, VIT], ids=["mixer", "vit"])
@pytest.mark.parametrize("seeds", [(4,), pytest.param((4, 5, 6), marks=pytest.mark.slow)])
def test_kept_weights_predict_what_the_last_epoch_of_their_training_did(
    engine: Engine, data: DeviceData, config: Config, seeds: tuple[int, ...]
) -> None:
    events = list(engine.run(request(*seeds, config=config)))
    ends = [e for e in events if isinstance(e, Predicted | Finished)]
    assert [type(e) for e in ends] == [Predicted, Finished] * len(seeds)
    told = classes(events)
    assert [*told] == [10 + seed for seed in seeds]
    assert len({tuple(found) for found in told.values()}) == len(seeds)
    assert from_weights(events, config, data) == told
    assert from_weights(events, config, data, batch_size=50) == told, "a last batch filled up"
    for end in (e for e in events if isinstance(e, Finished)):
        num_right = np.sum(told[end.trial] == LABELS)
        assert end.accuracy * len(LABELS) == pytest.approx(num_right, rel=1e-6)
        assert len(set(told[end.trial])) > 3, "it has learned something"


@pytest.mark.parametrize("last", [1, 3], ids=["after its first epoch", "after its last"])
def test_trials_that_go_on_from_a_checkpoint_predict_as_if_they_had_never_stopped(
    engine: Engine, tmp_path: Path, last: int
) -> None:
    whole = classes(list(engine.run(request(4, 5, 6))))
    policy = CheckpointPolicy(tmp_path / "kept", every_seconds=0, keeps_last=True)
    wanted = replace(request(4, 5, 6), checkpointing=policy)
    stops = iter([False] * (last - 1) + [True])
    before = list(engine.run(wanted, is_interrupted=lambda: next(stops)))
    assert not classes(before)
    after = list(engine.run(wanted))
    assert sum(isinstance(e, EpochDone) for e in after) == RECIPE.epochs - last
    assert classes(after) == whole


def test_one_program_serves_every_number_of_trainings_and_of_images(data: DeviceData) -> None:
    params = [initial_params(MIXER, seed) for seed in range(4)]
    device, counted = jax.devices()[0], []
    for trees, count in ((params, 144), (params[:1], 120), (params[:2], 70)):
        shown = DIGITS.validation_images[:count]
        before = predict_module._classes._cache_size()
        found = predict(MIXER, trees, shown, data.mean, data.std, device, batch_size=45)
        assert found.shape == (len(trees), count)
        counted.append(predict_module._classes._cache_size() - before)
    assert counted == [1, 0, 0]
