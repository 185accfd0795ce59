"""What a training gets right, from the device to the database: bits of a confirmation."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest
from one_worker import OneWorker
from records import mixer, trial
from test_loop import SEEDS, Repeating, search

from runs.confirmation.image_results import unpacked
from runs.image_results import image_results_of
from runs.record import State
from runs.weights_folder import WeightsFolder, read_weights
from runs.writer import open_writer
from search import data as images
from search.study.kept_weights import KeptWeights
from search.train.device_data import put
from search.train.engine import Engine
from search.train.environment import find_environment
from search.train.predict import predict
from space.weights_file import params_of


@pytest.mark.parametrize("num_images", [1, 8, 13])
def test_bits_are_one_an_image_in_order_and_classes_little_endian(num_images: int) -> None:
    labels = np.arange(num_images) % 3
    classes = np.full(num_images, 300, np.uint16)
    classes[::2] = labels[::2]
    found = image_results_of(5, classes, split="test", labels=labels, keeps_classes=True)
    assert (found.trial, found.split, found.num_images) == (5, "test", num_images)
    assert unpacked(found.right, num_images).tolist() == [i % 2 == 0 for i in range(num_images)]
    assert found.classes is not None
    assert np.frombuffer(found.classes, "<u2").tolist() == classes.tolist()
    assert image_results_of(5, classes, split="test", labels=labels).classes is None


def test_a_confirmation_stores_what_its_kept_weights_predict(tmp_path: Path) -> None:
    """Trained, stored and read again as a study does all that."""
    digits = images.load("digits", train_limit=256)
    device = jax.devices()[0]
    storage = f"sqlite:///{tmp_path}/s.db"
    folder, labels = WeightsFolder(tmp_path / "w"), digits.validation_labels
    with open_writer(storage) as store, Engine(put(digits, device), device) as engine:
        workers = OneWorker(engine, find_environment(device))
        searched, _ = search(store, workers=workers)
        for number in (0, 1):
            store.add_trial("s", trial(number, config=mixer(num_blocks=1 + number)))
        replace(
            searched,
            scheduler=Repeating,
            weights=KeptWeights(searched.study, folder, only_front=True),
            image_results=partial(
                image_results_of, split="validation", labels=labels, keeps_classes=True
            ),
        ).go(num_trials=0)
        ends = [t for t in store.trials("s") if t.parent == 1]
        stored = store.image_results("s", "validation")
    assert [(t.seed, t.state) for t in ends] == [(seed, State.COMPLETE) for seed in SEEDS]
    assert [*stored] == [t.number for t in ends]
    for end in ends:
        kept = read_weights("s", end.number, storage, folder=folder.path)
        mean, std = (json.loads(kept.facts[name]) for name in ("pixel_mean", "pixel_std"))
        config, params = end.config, [params_of(kept.arrays)]
        (classes,) = predict(config, params, digits.validation_images, mean, std, device)
        found = stored[end.number]
        assert found == image_results_of(
            end.number, classes, split="validation", labels=labels, keeps_classes=True
        )
        right = unpacked(found.right, found.num_images)
        assert end.accuracy == pytest.approx(right.mean(), rel=1e-6)
