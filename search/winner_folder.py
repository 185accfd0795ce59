"""A winner as a folder: the weights of one of its trainings, with all that is known of them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from runs.noise import of_images
from runs.reader import Reader, open_reader
from runs.record import TrialRecord
from runs.storage import without_password
from runs.test_readings import all_readings, readings_line
from runs.weights_folder import read_facts, weights_folder
from search.bench.latency import measure
from search.bench.latency_table import markdown
from search.data import Arrays, ImageData
from search.data.loading import to_stderr
from search.formats.folder import Latency, known_formats, replaceable, write_folder
from search.spec.studies import StudyError, StudySpec
from search.study.open_study import check_images
from search.study.stored import stored_study
from search.study.study_images import images_of
from search.winner import Winner
from space.errors import MixerSearchError
from space.presets import Preset, Trained
from space.weights_file import params_in

NUM_IMAGES = 64
"""Validation images on which formats are proved."""


class NoWeightsError(MixerSearchError):
    """The weights of a winner were not kept: the sentence has the commands that make some."""


def export_winner(
    winner: Winner,
    path: Path,
    name: str,
    *,
    storage: str | None,
    data: Arrays | ImageData | None = None,
    data_dir: Path | None = None,
    weights_dir: Path | None = None,
    formats: Sequence[str] = (),
    seed: int | None = None,
    license: str = "unknown",  # noqa: A002  as cards call it
    with_latency: bool = True,
    report: Callable[[str], None] = to_stderr,
) -> Preset:
    """Writes the folder of a winner, whole or not at all.

    Args:
        winner: of a study in the database.
        path: of the folder; that of another trained network is replaced.
        name: of the preset.
        storage: database URL; None for the default.
        data: the images of a study that had them in memory.
        data_dir: where prepared data sets lie; None for the default.
        weights_dir: where kept weights lie; None for the default.
        formats: names in `search.formats.registry.FORMATS`, or `all`.
        seed: of the training whose weights are taken; None for the best on validation.
        license: of the weights, for the card.
        with_latency: whether how long it takes to answer is measured, which takes some seconds.
        report: takes a line of progress.

    Returns:
        The preset as it lies there.

    Raises:
        MixerSearchError: no weights are kept or they are damaged, the images are not there or are
            others, a format does not compute the same, or the folder cannot be written.
    """
    formats = known_formats(formats)
    replaceable(path)
    study = winner.study.name
    spec, _ = stored_study(study, storage, trials=1)
    with open_reader(storage) as store:
        kept = store.weights(study)
        training = winner.training(seed, kept)
        if training.number not in kept:
            raise NoWeightsError(_no_weights(winner, training, path, storage))
        folder = weights_folder(storage, weights_dir)
        content = folder.read(kept[training.number])
        if data is None and spec.dataset == "arrays":
            raise StudyError(
                f"study {study!r} was trained on images in memory, on which what leaves is proved; "
                "give them from Python: search.run_study(..., data=DATA).export(FOLDER, data=DATA)"
            )
        images = images_of(store, spec, data_dir=data_dir, given=data, report=report)
        check_images(winner.study, images)
        found = _found(store, winner, training, seed, images)
    if spec.start_from is not None:
        found["start_from"] = spec.start_from.model_dump(mode="json")
    facts = read_facts(folder.file(kept[training.number].digest)) or {}
    plain = winner.preset(name)
    command = _command(winner, name, training, spec, images.split)
    preset = Preset.of(
        name,
        plain.config,
        plain.source | found | _division(spec, images) | {"license": license, "command": command},
        Trained(
            sha256=kept[training.number].digest,
            size_bytes=len(content),
            pixel_mean=json.loads(facts["pixel_mean"]),
            pixel_std=json.loads(facts["pixel_std"]),
            class_names=images.class_names,
            resize=spec.data.resize,
        ),
    )
    shown = images.validation_images[:NUM_IMAGES]
    latency = _latency(preset, content, report) if with_latency else None
    return write_folder(path, preset, content, images=shown, formats=formats, latency=latency)


def _found(
    store: Reader, winner: Winner, training: TrialRecord, seed: int | None, images: ImageData
) -> dict[str, Any]:
    """What is known of the training, and how often the test split was read."""
    study = winner.study.name
    chosen_by = "validation" if seed is None else "seed"
    weights: dict[str, Any] = {
        "trial": training.number,
        "seed": training.seed,
        "origin": training.origin.value,
        "chosen_by": chosen_by,
    }
    count = len(images.validation_labels)
    weights["validation"] = _share(training.accuracy or 0.0, count) | {"loss": training.loss}
    if tested := store.image_results(study, "test").get(training.number):
        right = int.from_bytes(tested.right).bit_count()
        weights["test"] = _share(right / tested.num_images, tested.num_images)
    found: dict[str, Any] = {"weights": weights}
    if winner.interval and len(winner.trainings) > 1:
        found["interval"] = winner.interval
    readings = all_readings(store, study)
    return found | {"test_readings": len(readings), "test_readings_line": readings_line(readings)}


def _share(accuracy: float, num_images: int) -> dict[str, Any]:
    """An accuracy with its interval, images only."""
    interval = of_images(accuracy, num_images)
    return {
        "accuracy": accuracy,
        "low": interval.low,
        "high": interval.high,
        "num_images": num_images,
    }


def _division(spec: StudySpec, images: ImageData) -> dict[str, Any]:
    """What makes the same validation images again."""
    return {
        "dataset_version": images.version,
        "data": spec.data.model_dump(mode="json") | {"validation": images.validation},
        "validation": {
            "validation_fraction": spec.validation_fraction,
            "split": images.split,
            "split_seed": 0,
            "train_limit": spec.train_limit,
            "data_digest": images.digest,
            "num_train": len(images.train_labels),
            "num_images": len(images.validation_labels),
        },
    }


def _latency(preset: Preset, content: bytes, report: Callable[[str], None]) -> Latency:
    """How long the network takes to answer here."""
    assert preset.trained is not None, "it has weights"
    found = measure(
        preset.config,
        params_in(content),
        preset.trained.pixel_mean,
        preset.trained.pixel_std,
        say=report,
    )
    return Latency(facts=[asdict(one) for one in found], lines=markdown(found))


def _command(winner: Winner, name: str, training: TrialRecord, spec: StudySpec, split: str) -> str:
    """Trains the same weights again: from the folder, or from where they were fine-tuned."""
    words = ["python", "-m", *_start(winner, training, spec), "--seed", str(training.seed)]
    if spec.train_limit is not None:
        words += ["--train-limit", str(spec.train_limit)]
    if spec.validation_fraction != StudySpec.model_fields["validation_fraction"].default:
        words += ["--set", f"validation_fraction={spec.validation_fraction}"]
    if split != "stratified":
        words += ["--set", f"split={split}"]
    return shlex.join([*words, "--study-name", f"{name}_again"])


def _start(winner: Winner, training: TrialRecord, spec: StudySpec) -> list[str]:
    """The command, and what it starts from."""
    start = spec.start_from
    if start is None:
        return ["search.train", "--preset", "."]
    recipe = winner.study.recipe_of(training.family) or {}
    words = ["search.finetune", "--from", start.preset, "--dataset", spec.dataset]
    words += ["--rates", f"{recipe['learning_rate']:g}", "--optimizer", str(recipe["optimizer"])]
    words += ["--epochs", str(training.epochs)]
    if spec.data.image_size != start.image_size:
        words += ["--image-size", str(spec.data.image_size)]
    if start.tokens:
        words += ["--tokens", start.tokens]
    return [*words, "--freeze"] if recipe.get("freeze") else words


def _no_weights(winner: Winner, training: TrialRecord, path: Path, storage: str | None) -> str:
    """Why there is no folder, and the three commands after which there is one."""
    study, number = winner.study.name, training.number
    where = ["--storage", without_password(storage)] if storage else []
    again, file = f"{path.name or 'winner'}_again", f"{path.name or 'winner'}.json"
    commands = [
        ["search.export", "--study", study, "--pick", f"trial={number}", "--out", file],
        ["search.train", "--preset", file, "--seed", str(training.seed), "--study-name", again],
        ["search.export", "--study", again, "--pick", "trial=0", "--out", str(path)],
    ]
    lines = " && ".join(shlex.join(["python", "-m", *words, *where]) for words in commands)
    return (
        f"no weights of trial {number} of study {study!r}, seed {training.seed}, are kept (a "
        "search keeps those of its front, with --keep-weights all those of all trials); train it "
        f"once more, which keeps them: {lines}"
    )
