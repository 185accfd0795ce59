"""How accurate a trained network is on a split of a data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pydantic

from runs.noise import LEVEL, wilson
from runs.reader import Reader, UnknownStudyError
from runs.record import TestReading
from runs.test_readings import check_may_read
from runs.writer import open_writer
from search.data import find_task, load
from search.data.loading import load_test_split, test_digest, to_stderr
from search.data.sources import source_of, tfds_name
from search.data.split import Images, Labels
from search.spec.data_spec import AS_THEY_ARE, DataSpec
from search.study.study_images import agree
from space.config import ImageTask
from space.errors import MixerSearchError, explain, listed
from space.presets import Preset

SplitName = Literal["validation", "test"]


class EvaluationError(MixerSearchError):
    """A network cannot be evaluated on a data set: the images or their classes are others."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What a network makes of one split."""

    dataset: str
    split: SplitName
    num_images: int
    accuracy: float
    low: float
    """Wilson's interval of 95 %, images only."""
    high: float
    loss: float
    """Mean cross-entropy in nats."""
    recorded_accuracy: float | None
    """What its training measured of the same validation images; None of others."""
    test_readings: int | None
    """How often the database has this test split read, this time included; None of validation."""


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """A data set, and how its images are read for a network."""

    dataset: str
    is_own: bool
    """Whether it has the name of the one that the network was trained on."""
    like_own: bool
    """Whether it is read as that one was: it may have moved."""
    options: DataSpec
    data_dir: Path | None
    report: Callable[[str], None]


def evaluate(
    preset: Preset,
    *,
    dataset: str | None = None,
    split: SplitName = "validation",
    data_dir: Path | None = None,
    resize: bool = False,
    storage: str | None = None,
    again: bool = False,
    device: str = "auto",
    command: str = "search.evaluation.evaluate",
    report: Callable[[str], None] = to_stderr,
) -> Evaluation:
    """Evaluates a trained network, with the mean and deviation of its own training images.

    Of the data set that it was trained on the validation images are those that its training had. A
    reading of a test split is in the database before anybody is told what it showed.

    Args:
        preset: with weights.
        dataset: None for the one that it was trained on.
        split: `validation` or `test`.
        data_dir: where prepared data sets lie; None for the default.
        resize: whether images of another size are converted, as those it was trained on.
        storage: URL of the database that counts readings of test splits; None for the default.
        again: whether a test split that was read may be read once more.
        device: one of `search.train.devices.KINDS`.
        command: what a reading is noted with.
        report: takes a line of progress.

    Raises:
        EvaluationError: images or classes are not what the network takes.
        AlreadyReadError: the test split was read before, and `again` is false.
        WeightsError: the preset has no weights, or they are damaged.
        DataError: the images cannot be read.
    """
    params = preset.params()
    wanted = _wanted(preset, dataset, resize, data_dir, report)
    _check_task(preset, wanted)

    def measured(images: Images, labels: Labels) -> dict[str, Any]:
        from search.train.devices import choose
        from search.train.predict import logits_of  # JAX, which takes a second

        assert preset.trained is not None, "it has weights"
        moments = preset.trained.pixel_mean, preset.trained.pixel_std
        logits = logits_of(preset.config, params, images, *moments, choose(device))
        return _figures(logits, labels)

    if split == "validation":
        images, labels, recorded = _validation(preset, wanted)
        return Evaluation(
            dataset=wanted.dataset,
            split=split,
            recorded_accuracy=recorded,
            test_readings=None,
            **measured(images, labels),
        )
    test = load_test_split(wanted.dataset, data_dir=data_dir, options=wanted.options, report=report)
    _check_classes(preset, wanted.dataset, test.class_names)
    digest = test_digest(test.images, test.labels)
    with open_writer(storage, report) as store:
        before = store.test_readings(digest)
        check_may_read(before, again=again)
        report(f"reading the test split, {len(test.labels):,} images")
        figures = measured(test.images, test.labels)
        store.add_test_reading(_reading(store, preset, wanted, digest, command))
    return Evaluation(
        dataset=wanted.dataset,
        split=split,
        recorded_accuracy=None,
        test_readings=len(before) + 1,
        **figures,
    )


def _wanted(
    preset: Preset,
    dataset: str | None,
    resize: bool,
    data_dir: Path | None,
    report: Callable[[str], None],
) -> _Wanted:
    """Which images, and how they are read."""
    own = preset.source.get("dataset")
    name = dataset or own
    if not isinstance(name, str):
        raise EvaluationError(
            f"preset {preset.name!r} does not say on what data it was trained; give --dataset NAME"
        )
    is_own = like_own = name == own
    version = preset.source.get("dataset_version")
    if isinstance(own, str) and not is_own:
        began, asked = tfds_name(own), tfds_name(name)
        if began and asked:
            is_own = like_own = agree(replace(began, version=version or began.version), asked)
        else:
            like_own = source_of(own) is not None and source_of(own) == source_of(name)
    if is_own and (asked := tfds_name(name)):
        name = str(replace(asked, version=asked.version or version))
    spec = AS_THEY_ARE
    if like_own:
        spec = _data_spec(preset)
    elif resize:
        assert preset.trained is not None, "it has weights"
        spec = DataSpec(image_size=preset.config.image_size, resize=preset.trained.resize)
    return _Wanted(
        dataset=name,
        is_own=is_own,
        like_own=like_own,
        options=spec,
        data_dir=data_dir,
        report=report,
    )


def _data_spec(preset: Preset) -> DataSpec:
    """How the images of its training were read."""
    try:
        return DataSpec.model_validate(preset.source.get("data") or {})
    except pydantic.ValidationError as error:
        raise EvaluationError(
            f"preset {preset.name!r}: its source.data is not one of this version "
            f"({explain(error)}); mend that in its preset.json"
        ) from None


def _validation(preset: Preset, wanted: _Wanted) -> tuple[Images, Labels, float | None]:
    """Validation images and labels, and what the training measured of them."""
    division = (preset.source.get("validation") or {}) if wanted.like_own else {}
    names = ("validation_fraction", "split", "split_seed", "train_limit")
    data = load(
        wanted.dataset,
        data_dir=wanted.data_dir,
        options=wanted.options,
        report=wanted.report,
        **{name: division[name] for name in names if name in division},
    )
    _check_classes(preset, wanted.dataset, data.class_names)
    digest = division.get("data_digest")
    if data.digest == digest:
        own = preset.source.get("weights", {}).get("validation", {})
        return data.validation_images, data.validation_labels, own.get("accuracy")
    if wanted.is_own and digest:
        raise EvaluationError(
            f"{wanted.dataset} here holds other images than {preset.name!r} was trained on (digest "
            f"{digest}, these are {data.digest}): its validation images may be among them; name "
            "their folder with --data-dir, or another data set with --dataset"
        )
    return data.validation_images, data.validation_labels, None


def _check_task(preset: Preset, wanted: _Wanted) -> None:
    """Looks whether images are what the network takes, before any is read."""
    config, name = preset.config, wanted.dataset
    takes = ImageTask(
        image_size=config.image_size,
        image_channels=config.image_channels,
        num_classes=config.num_classes,
    )
    task = find_task(name, data_dir=wanted.data_dir, options=wanted.options)
    if task.num_classes != takes.num_classes:
        raise EvaluationError(
            f"{name} has {task.num_classes:,} classes, and {preset.name!r} tells "
            f"{takes.num_classes:,} apart; evaluate it on a data set with its classes"
        )
    if task.image_channels != takes.image_channels:
        grey = "numpy.repeat(images, 3, axis=-1)"
        how = f"repeat them with {grey}" if takes.image_channels == 3 else "make them grey"
        raise EvaluationError(
            f"{name} has images of {task.image_channels} channels, and {preset.name!r} takes "
            f"{takes.image_channels}; {how}, and give them as --dataset arrays:FILE.npz"
        )
    if task.image_size != takes.image_size:
        raise EvaluationError(
            f"{name} has images of {task.image_size} x {task.image_size} pixels, and "
            f"{preset.name!r} takes {takes.image_size} x {takes.image_size}; --resize converts them"
        )


def _check_classes(preset: Preset, dataset: str, names: tuple[str, ...]) -> None:
    """Looks whether labels mean the same, where both say what they mean."""
    mine = preset.trained.class_names if preset.trained else ()
    if mine and names and mine != names:
        raise EvaluationError(
            f"the classes of {dataset} are {listed(names, 5)}, and {preset.name!r} tells "
            f"{listed(mine, 5)} apart; evaluate it on a data set with the same classes in the same "
            "order"
        )


def _figures(logits: npt.NDArray[np.float32], labels: Labels) -> dict[str, Any]:
    """Accuracy with its interval, and loss."""
    count = len(labels)
    accuracy = int((logits.argmax(axis=1) == labels).sum()) / count
    low, high = wilson(np.array([accuracy]), count, LEVEL)
    wide = logits.astype(np.float64)
    top = wide.max(axis=1)
    nats = np.log(np.exp(wide - top[:, None]).sum(axis=1)) + top - wide[np.arange(count), labels]
    return {
        "num_images": count,
        "accuracy": accuracy,
        "low": float(low[0]),
        "high": float(high[0]),
        "loss": float(nats.mean()),
    }


def _reading(
    store: Reader, preset: Preset, wanted: _Wanted, digest: str, command: str
) -> TestReading:
    """For its study, where the database has that and the images are the study's."""
    assert preset.trained is not None, "it has weights"
    source = preset.source
    study = source.get("study") if wanted.is_own else None
    try:
        began = store.study(study).created_at.isoformat() if study else None
    except UnknownStudyError:
        began = None
    is_here = began is not None and began == source.get("study_began")
    purpose = f"evaluation of {preset.name[:120]} (sha256 {preset.trained.sha256[:12]})"
    return TestReading(
        test_digest=digest,
        study=study if is_here else None,
        trial=source.get("weights", {}).get("trial") if is_here else None,
        read_at=datetime.now(UTC),
        purpose=purpose,
        command=command,
    )
