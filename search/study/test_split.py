"""The test split of a study, opened once: for what fresh validation has chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from runs.confirmed import of_kind
from runs.image_results import image_results_of
from runs.leased_reader import WAIT
from runs.reader import Reader
from runs.record import ImageResults, StudyRecord, TestReading
from runs.test_readings import check_may_read
from runs.weights_folder import Weights, weights_folder, weights_in
from search import data as images
from search.data import Arrays, ImageData
from search.data.loading import test_digest
from search.spec.data_spec import DataSpec
from search.study.confirm import judged_networks, unfinished
from search.study.held import held_study
from search.study.study_images import dataset_of
from space.config import Config

Predict = Callable[
    [Config, Sequence[Weights], npt.NDArray[np.uint8]],
    npt.NDArray[np.uint16],
]
"""A configuration, the weights of several trainings, and images to classes [trainings, images]."""


def check_unread(store: Reader, name: str, *, again: bool) -> None:
    """Refuses a new confirmation whose test split was read before, unless it is asked for.

    Without opening it: by what the database has of studies of the same data set. One that has
    read it may be looked at again, and one that was promised a further reading goes on.

    Raises:
        AlreadyReadError: it was read, and `again` is false.
    """
    study, kept = store.study(name), of_kind(store, name, "front")
    begun = unfinished(store, name)
    if (kept and begun is None and not again) or (begun and begun.plan.get("again")):
        return
    mine = study.spec.get("dataset")
    readings = [
        reading
        for other in store.studies()
        if other.spec.get("dataset") == mine or other.data_digest == study.data_digest
        for reading in store.study_readings(other.name)
    ]
    check_may_read(readings, again=again)


def read_test(
    name: str,
    *,
    predict: Predict,
    storage: str | None,
    given: Arrays | ImageData | None,
    data_dir: Path | None,
    weights_dir: Path | None,
    again: bool,
    command: str,
    say: Callable[[str], None],
) -> bool:
    """Has every training of the newest confirmation predict the test split; whether it was read.

    The reading and its results are stored in one transaction. A data set without a test split is
    said to have none.

    Raises:
        AlreadyReadError: the split was read before, and `again` is false.
        WeightsError: weights of a training are missing.
        DataError: the images cannot be read.
    """
    with held_study(name, storage, say, advice=WAIT) as store:
        record = unfinished(store, name)
        if record is None:
            return False
        study = store.study(name)
        networks = judged_networks(store, name, record)
        if not networks:  # there is nothing to report of
            return False
        folder = weights_folder(storage, weights_dir)
        there = store.weights(name)
        weights = {
            trial.number: weights_in(folder, there[trial.number])
            for network in networks
            for trial in network.complete
        }
        split = _test_images(study, given, data_dir, say)
        if split is None:
            return False
        test_images, labels = split
        digest = test_digest(test_images, labels)
        check_may_read(store.test_readings(digest), again=again or bool(record.plan.get("again")))
        say(f"reading the test split, {len(labels):,} images, with {len(weights)} trainings")
        results: list[ImageResults] = []
        for network in networks:
            trials = network.complete
            classes = predict(
                network.parent.config, [weights[t.number] for t in trials], test_images
            )
            results += [
                image_results_of(
                    trial.number,
                    found,
                    split="test",
                    labels=labels,
                    keeps_classes=record.plan["keep_classes"],
                )
                for trial, found in zip(trials, classes, strict=True)
            ]
        reading = TestReading(
            test_digest=digest,
            study=name,
            trial=None,
            read_at=datetime.now(UTC),
            purpose=f"confirmation {record.number}",
            command=command,
        )
        store.add_test_reading(reading, results)
    return True


def _test_images(
    study: StudyRecord,
    given: Arrays | ImageData | None,
    data_dir: Path | None,
    say: Callable[[str], None],
) -> tuple[Any, Any] | None:
    """Images and labels of the study's test split, None where it has none."""
    if isinstance(given, ImageData):
        say("images in memory have no test split: validation, which also chose, reports")
        return None
    dataset = given or str(dataset_of(study) or study.spec["dataset"])
    options = DataSpec.model_validate(study.spec.get("data") or {})
    try:
        return images.load_test(dataset, data_dir=data_dir, options=options, report=say)
    except images.NoTestError as error:
        say(f"{error}: what follows is of the validation split, which also chose")
        return None
