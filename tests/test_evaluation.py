"""`python -m search.evaluate`: what was stored, measured again, and every test reading counted."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from confirmed_digits import NAME, copied
from json_keys import undocumented

from runs.__main__ import main as runs
from runs.reader import open_reader
from runs.storage import StorageError
from runs.writer import Writer
from search import data as images
from search.evaluate import main
from search.export import main as export
from space import presets


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A confirmed study in `s.db`, and its winner in `winner/`."""
    folder = tmp_path_factory.mktemp("evaluated")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        storage = copied(folder)
        assert export(["--study", NAME, "--storage", storage, "--pick", "best", *OUT]) == 0
    return folder


OUT = ["--out", "winner", "--no-latency"]


@pytest.fixture
def winner(exported: Path, monkeypatch: pytest.MonkeyPatch) -> presets.Preset:
    """The working directory has it."""
    monkeypatch.chdir(exported)
    return presets.load("winner")


def evaluated(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    """What the command says with `--json`."""
    capsys.readouterr()
    assert main(["--model", "winner", "--device", "cpu", "--json", *options]) == 0
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert not undocumented(facts)
    return facts


def refused(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """The sentence of a command that ends with 2, and prints no accuracy."""
    capsys.readouterr()
    assert main(["--model", "winner", "--device", "cpu", *options]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    return said.err


def arrays(file: str, **changes: Any) -> str:
    """Digits as arrays, changed."""
    found = images.load("digits", train_limit=100)
    given = {"train_images": found.train_images, "train_labels": found.train_labels}
    np.savez(file, **given | changes)
    return f"arrays:{file}"


def test_on_the_validation_images_of_its_training_it_is_what_was_stored(
    winner: presets.Preset, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = evaluated(capsys)
    with open_reader("sqlite:///s.db") as store:
        trial = store.trial(NAME, winner.source["weights"]["trial"])
    assert facts["accuracy"] == pytest.approx(trial.accuracy, abs=1e-6)
    assert facts["recorded_accuracy"] == trial.accuracy
    assert facts["loss"] == pytest.approx(trial.loss, abs=1e-5)
    assert facts["num_images"] == 288
    assert facts["low"] < facts["accuracy"] < facts["high"]
    assert facts["test_readings"] is None
    assert main(["--model", "winner"]) == 0
    assert "; its training measured the same\n" in capsys.readouterr().out


def test_on_test_it_is_what_the_confirmation_saw_and_counts_as_another_reading(
    winner: presets.Preset, capsys: pytest.CaptureFixture[str]
) -> None:
    test = ["--split", "test", "--storage", "sqlite:///s.db"]
    sentence = rf"the test split was read on .* for study '{NAME}', .*--again reads it once more"
    assert re.search(sentence, refused(capsys, *test))
    facts = evaluated(capsys, *test, "--again")
    trial = winner.source["weights"]["trial"]
    with open_reader("sqlite:///s.db") as store:
        results = store.image_results(NAME, "test")[trial]
        *_, reading = store.study_readings(NAME)
    right = int.from_bytes(results.right).bit_count()
    assert facts["accuracy"] == right / results.num_images
    assert facts["test_readings"] == 2
    assert (reading.study, reading.trial) == (NAME, trial)
    assert reading.purpose == f"evaluation of {winner.name} (sha256 {winner.trained.sha256[:12]})"


def test_a_reading_for_a_study_that_was_renamed_is_counted_for_it(
    winner: presets.Preset, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shutil.copy("s.db", tmp_path / "s.db")
    storage = f"sqlite:///{tmp_path}/s.db"
    with open_reader(storage) as store:
        before = store.study_readings(NAME)
    assert runs(["rename", NAME, "renamed", "--storage", storage]) == 0
    evaluated(capsys, "--split", "test", "--storage", storage, "--again")
    with open_reader(storage) as store:
        *earlier, reading = store.study_readings("renamed")
    assert len(earlier) == len(before)
    assert (reading.study, reading.trial) == ("renamed", winner.source["weights"]["trial"])


def test_a_database_without_the_study_counts_readings_too(
    winner: presets.Preset, capsys: pytest.CaptureFixture[str]
) -> None:
    test = ["--split", "test", "--storage", "sqlite:///new.db"]
    assert evaluated(capsys, *test)["test_readings"] == 1
    assert "UTC for evaluation of small_best (sha256 " in refused(capsys, *test)


def test_no_accuracy_is_seen_of_a_reading_that_could_not_be_counted(
    winner: presets.Preset, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> None:
        raise StorageError("the disk is full; free some space")

    monkeypatch.setattr(Writer, "add_test_reading", fail)
    said = refused(capsys, "--split", "test", "--storage", "sqlite:///full.db")
    assert said.endswith("error: the disk is full; free some space\n")


def test_pixels_are_normalised_by_the_networks_own_mean_and_deviation(
    winner: presets.Preset, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever those of the data set are: here all its training images are black."""
    found = images.load("digits", train_limit=256, validation_fraction=0.2)
    name = arrays(
        "own.npz",
        train_images=np.zeros_like(found.train_images),
        train_labels=np.arange(len(found.train_labels)) % 10,
        validation_images=found.validation_images,
        validation_labels=found.validation_labels,
    )
    facts = evaluated(capsys, "--dataset", name)
    assert facts["accuracy"] == evaluated(capsys)["accuracy"]
    assert facts["recorded_accuracy"] is None


def test_data_sets_with_other_images_or_classes_are_refused(
    winner: presets.Preset, capsys: pytest.CaptureFixture[str]
) -> None:
    found = images.load("digits", train_limit=100)
    coloured = np.repeat(found.train_images, 3, axis=-1)
    large = np.kron(found.train_images, np.ones((1, 2, 2, 1), np.uint8))
    five = np.arange(100) % 5
    names = np.array(list("abcdefghij"))
    refusals = {
        arrays("few.npz", train_labels=five): "has 5 classes, and 'small_best' tells 10 apart",
        arrays("colour.npz", train_images=coloured): "3 channels, and 'small_best' takes 1; make",
        arrays("large.npz", train_images=large): "and 'small_best' takes 8 x 8; --resize converts",
        arrays("names.npz", class_names=names): "are a, b, c, d, e and 5 more, and 'small_best' te",
    }
    for name, sentence in refusals.items():
        assert sentence in refused(capsys, "--dataset", name)
    assert evaluated(capsys, "--dataset", "arrays:large.npz", "--resize")["num_images"] == 10
    assert "--split train: there is validation and test" in refused(capsys, "--split", "train")
    assert "has no test images" in refused(
        capsys, "--dataset", "arrays:names.npz", "--split", "test"
    )


def test_other_images_under_the_name_of_its_own_are_refused(
    winner: presets.Preset, capsys: pytest.CaptureFixture[str]
) -> None:
    winner.source["validation"]["data_digest"] = "0" * 16
    Path("other").mkdir()
    presets.save(winner, "other/preset.json")
    Path("other/model.safetensors").write_bytes(winner.weights())
    assert main(["--model", "other"]) == 2
    assert (
        "digits here holds other images than 'small_best' was trained on" in capsys.readouterr().err
    )


def test_a_network_without_weights_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--model", "mixer_digits"]) == 2
    assert "is a configuration without weights; train it with" in capsys.readouterr().err
