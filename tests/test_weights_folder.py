"""Weights of a real study, read back: what was trained, whole, or a sentence."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import unflatten_dict

import runs
from runs import winners
from runs.reader import UnknownStudyError, open_reader
from runs.record import State, TrialRecord
from runs.seeds import behind
from runs.weights_folder import WeightsError, WeightsFolder, read_facts, read_weights
from search import data as images
from space.build import build
from space.families import parse_config

ROOT = Path(__file__).parents[1]
STUDY = "mixer_smoke"
SEEDS = 2


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of a study of two seeds, with what the command keeps by default."""
    folder = tmp_path_factory.mktemp("searched")
    url = f"sqlite:///{folder}/s.db"
    subprocess.run(
        [
            *(sys.executable, "-m", "search.run", "--study", STUDY, "--storage", url),
            *("--trials", "3", "--seeds", str(SEEDS), "--epochs", "4", "--no-rungs"),
        ],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return url


def trials_of(storage: str) -> list[TrialRecord]:
    with open_reader(storage) as store:
        return store.trials(STUDY)


def kept(storage: str) -> list[int]:
    with open_reader(storage) as store:
        return sorted(store.weights(STUDY))


def test_all_seeds_of_the_front_have_weights_and_no_other_trial(storage: str) -> None:
    trials = trials_of(storage)
    front = winners.front(winners.candidates(trials))
    assert kept(storage) == sorted(seed.number for mean in front for seed in behind(trials, mean))
    assert len(kept(storage)) >= SEEDS


def test_weights_read_back_have_the_accuracy_that_was_stored(storage: str) -> None:
    data = images.load("digits")
    for number in kept(storage):
        trial = trials_of(storage)[number]
        weights = read_weights(STUDY, number, storage)
        facts = weights.facts
        assert parse_config(json.loads(facts["config"])) == trial.config
        mean, std = (
            np.array(json.loads(facts[name]), np.float32) for name in ("pixel_mean", "pixel_std")
        )
        variables = unflatten_dict(weights.arrays, sep="/")
        pixels = (data.validation_images.astype(np.float32) - mean[None, None, None]) / std
        logits = build(trial.config).apply(variables, jnp.asarray(pixels))
        accuracy = np.mean(np.argmax(logits, -1) == data.validation_labels)
        assert accuracy == pytest.approx(trial.accuracy, abs=1e-6)


def test_a_file_says_of_what_it_is(storage: str) -> None:
    number = kept(storage)[-1]
    trial = trials_of(storage)[number]
    file = runs.weights(STUDY, number, storage)
    assert file.name == f"{hashlib.sha256(file.read_bytes()).hexdigest()}.safetensors"
    facts = read_facts(file)
    assert facts is not None
    said = {name: facts[name] for name in ("family", "study", "trial", "dataset", "seed", "epochs")}
    assert said == {
        "family": "mixer",
        "study": STUDY,
        "trial": str(number),
        "dataset": "digits",
        "seed": str(trial.seed),
        "epochs": "4",
    }
    arrays = read_weights(STUDY, number, storage).arrays
    assert sum(array.size for array in arrays.values()) == trial.params
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float32)}
    assert "params/head/kernel" in arrays


def test_where_none_are_kept_a_sentence_says_how_to_get_them(storage: str) -> None:
    other = next(t.number for t in trials_of(storage) if t.number not in kept(storage))
    with pytest.raises(WeightsError, match=r"no weights of trial \d+ .*--keep-weights all"):
        runs.weights(STUDY, other, storage)
    with pytest.raises(UnknownStudyError, match="has no trial 99"):
        runs.weights(STUDY, 99, storage)
    assert trials_of(storage)[other].state is State.COMPLETE


def test_a_folder_without_the_file_and_a_damaged_file_are_refused(
    storage: str, tmp_path: Path
) -> None:
    number = kept(storage)[0]
    file = runs.weights(STUDY, number, storage)
    with pytest.raises(WeightsError, match=f"are not in {tmp_path}; name the folder"):
        runs.weights(STUDY, number, storage, folder=tmp_path)
    whole = file.read_bytes()
    for damaged in (whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1]), b""):
        (tmp_path / file.name).write_bytes(damaged)
        with pytest.raises(WeightsError, match="is damaged: its SHA-256 is not its name"):
            runs.weights(STUDY, number, storage, folder=tmp_path)
    assert read_facts(tmp_path / file.name) is None
    (tmp_path / file.name).write_bytes(whole)
    assert runs.weights(STUDY, number, storage, folder=tmp_path) == tmp_path / file.name


def test_a_folder_lists_its_own_files_and_those_left_unfinished(tmp_path: Path) -> None:
    folder = WeightsFolder(tmp_path / "w")
    assert list(folder.files()) == []
    record = folder.write(3, b"weights")
    unfinished = folder.path / f"{'a' * 64}.safetensors.x1.tmp"
    for file in (unfinished, folder.path / "notes.txt", folder.path / "model.safetensors"):
        file.touch()
    assert set(folder.files()) == {folder.file(record.digest), unfinished}
    folder.remove([record.digest, "b" * 64])
    assert set(folder.files()) == {unfinished}
