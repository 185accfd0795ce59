"""The images of a study as arrays, divided into train and validation."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from search.data import digits, prepared
from search.data.cache import cached
from search.data.errors import DataError
from search.data.importers import IMPORTERS
from search.data.naming import parse_name
from search.data.preparation import prepare, refuse_unknown
from search.data.split import Images, Labels, Split
from space.config import ImageTask

# What the data sets everybody names ask of a network: known without any file.
TASKS = {"digits": digits.TASK} | {name: importer.task for name, importer in IMPORTERS.items()}


@dataclass(frozen=True, eq=False)
class ImageData:
    """Train and validation images of a data set, ready for a device.

    Images are uint8 [n, image_size, image_size, image_channels], labels int32 [n]. `digest` is
    the beginning of a SHA-256 over the four arrays: equal digests, equal data in equal order.
    """

    name: str
    task: ImageTask
    train_images: Images
    train_labels: Labels
    validation_images: Images
    validation_labels: Labels
    digest: str


def to_stderr(line: str) -> None:
    """Print a line of progress where it does not mix with results."""
    print(line, file=sys.stderr, flush=True)


def load(
    dataset: str,
    *,
    data_dir: Path | None = None,
    archive: Path | None = None,
    validation_fraction: float = 0.1,
    split_seed: int = 0,
    train_limit: int | None = None,
    report: Callable[[str], None] = to_stderr,
) -> ImageData:
    """The train split of a data set, divided in two; its test split is never read.

    Args:
        dataset: `digits`, a data set with an importer, or any image data set of TFDS.
        data_dir: where prepared data sets lie; None: `$TFDS_DATA_DIR`, else
            `~/tensorflow_datasets`.
        archive: the original to prepare a missing data set from; None: download it.
        validation_fraction: the part of the train split kept for validation, in (0, 1).
        split_seed: decides which images those are; validation does not depend on `train_limit`.
        train_limit: keep only so many training images.
        report: takes a line of progress.

    Raises:
        DataError: the data set cannot be found, prepared, read or divided so.
    """
    whole = _train_split(dataset, data_dir, archive, report)
    known = TASKS.get(parse_name(dataset).unversioned)
    if known and whole.task != known:
        raise DataError(
            f"what is prepared as {dataset} has {whole.task}, not {known}; "
            "name the folder of the real one with --data-dir DIR"
        )
    train, validation = _divide(len(whole.labels), validation_fraction, split_seed, train_limit)
    arrays = (
        whole.images[train],
        whole.labels[train],
        whole.images[validation],
        whole.labels[validation],
    )
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(array.data)
    return ImageData(dataset, whole.task, *arrays, digest=digest.hexdigest()[:16])


def load_test(dataset: str, *, data_dir: Path | None = None) -> tuple[Images, Labels]:
    """The test images and labels, for final reports: nothing may be chosen by them.

    Raises:
        DataError: the data set is not prepared, or cannot be read.
    """
    if dataset == "digits":
        split = digits.read_digits("test")
    else:
        split = prepared.read(dataset, _prepared(dataset, data_dir), "test")
    return split.images, split.labels


def find_task(dataset: str, *, data_dir: Path | None = None) -> ImageTask:
    """What the data set asks of a network: known, else from the metadata of the prepared one.

    Raises:
        DataError: the data set is neither known nor prepared, or is not for classifying images.
    """
    if known := TASKS.get(parse_name(dataset).unversioned):
        return known
    return prepared.read_task(dataset, _prepared(dataset, data_dir))


def _train_split(
    dataset: str, data_dir: Path | None, archive: Path | None, report: Callable[[str], None]
) -> Split:
    if dataset == "digits" and archive is None:
        return digits.read_digits("train")
    directory = prepare(dataset, prepared.data_folder(data_dir), archive=archive, report=report)

    def read() -> Split:
        report(f"{dataset}: decoding the images in {directory}, kept for the next time")
        return prepared.read(dataset, directory, "train")

    return cached(dataset, directory, read)


def _prepared(dataset: str, data_dir: Path | None) -> Path:
    folder = prepared.data_folder(data_dir)
    if directory := prepared.find(dataset, folder):
        return directory
    if parse_name(dataset).unversioned not in TASKS:
        refuse_unknown(dataset, folder)
    raise DataError(
        f"{dataset} is not prepared in {folder}; run `python -m search.data prepare {dataset}`, "
        "or name the folder that holds it with --data-dir DIR"
    )


def _divide(
    num_images: int, validation_fraction: float, split_seed: int, train_limit: int | None
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """The indices of the training and of the validation images, both in shuffled order."""
    if not 0 < validation_fraction < 1:
        raise DataError(
            f"validation_fraction={validation_fraction} is no part of the train split; "
            "choose one between 0 and 1"
        )
    num_validation = round(validation_fraction * num_images)
    num_train = num_images - num_validation
    if num_validation < 1 or num_train < 1:
        raise DataError(
            f"validation_fraction={validation_fraction} leaves {num_train} of {num_images} images "
            f"for training and {num_validation} for validation; choose another"
        )
    if split_seed < 0:
        raise DataError(f"split_seed={split_seed} is negative; choose 0 or more")
    if train_limit is not None and not 1 <= train_limit <= num_train:
        raise DataError(
            f"train_limit={train_limit}: there are {num_train:,} training images; "
            f"give --train-limit 1 to {num_train}, or leave it out"
        )
    order = np.random.default_rng(split_seed).permutation(num_images)
    return order[num_validation:][:train_limit], order[:num_validation]
