"""How accurate a trained network is on a split of a data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from runs.noise import of_images
from runs.reader import Reader
from runs.record import TestReading
from runs.test_readings import check_may_read
from runs.writer import open_writer
from search.data.loading import load_test_split, test_digest, to_stderr
from search.data.split import Images, Labels
from search.evaluated_images import (
    Wanted,
    check_classes,
    check_task,
    validation_images,
    wanted_images,
)
from space.presets import Preset

SplitName = Literal["validation", "test"]


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
    reading of a test split is in the database before this function returns what it showed.

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
    wanted = wanted_images(preset, dataset, resize, data_dir, report)
    check_task(preset, wanted)

    def measured(images: Images, labels: Labels) -> dict[str, Any]:
        from search.train.devices import choose
        from search.train.predict import logits_of  # JAX, which takes a second

        assert preset.trained is not None, "it has weights"
        moments = preset.trained.pixel_mean, preset.trained.pixel_std
        logits = logits_of(preset.config, params, images, *moments, choose(device))
        return _figures(logits, labels)

    if split == "validation":
        images, labels, recorded = validation_images(preset, wanted)
        return Evaluation(
            dataset=wanted.dataset,
            split=split,
            recorded_accuracy=recorded,
            test_readings=None,
            **measured(images, labels),
        )
    test = load_test_split(wanted.dataset, data_dir=data_dir, options=wanted.options, report=report)
    check_classes(preset, wanted.dataset, test.class_names)
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


def _figures(logits: npt.NDArray[np.float32], labels: Labels) -> dict[str, Any]:
    """Accuracy with its interval, and loss."""
    count = len(labels)
    accuracy = int((logits.argmax(axis=1) == labels).sum()) / count
    interval = of_images(accuracy, count)
    nats = -log_softmax(logits.astype(np.float64), axis=1)[np.arange(count), labels]
    return {
        "num_images": count,
        "accuracy": accuracy,
        "low": interval.low,
        "high": interval.high,
        "loss": float(nats.mean()),
    }


def _reading(
    store: Reader, preset: Preset, wanted: Wanted, digest: str, command: str
) -> TestReading:
    """For its study, where the database has that and the images are the study's."""
    assert preset.trained is not None, "it has weights"
    source = preset.source
    study = store.study_begun(source.get("study_began")) if wanted.is_own else None
    purpose = f"evaluation of {preset.name[:120]} (sha256 {preset.trained.sha256[:12]})"
    return TestReading(
        test_digest=digest,
        study=study.name if study else None,
        trial=source.get("weights", {}).get("trial") if study else None,
        read_at=datetime.now(UTC),
        purpose=purpose,
        command=command,
    )
