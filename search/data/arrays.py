"""The images of a study as arrays, divided into train and validation."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from search.data import digits, prepared
from search.data.cache import cached
from search.data.decoding import DECODER
from search.data.division import divide
from search.data.errors import DataError
from search.data.naming import parse_name
from search.data.preparation import prepare, refuse_unknown
from search.data.registry import IMPORTERS
from search.data.split import Images, Labels, Split
from search.spec.studies import Division
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
    class_names: tuple[str, ...]
    """By label; numbers where the data set has no names."""
    split: Division
    """How validation was chosen."""
    version: str | None = None
    """Of the data set; None where there are no versions."""
    decoder: str | None = None
    """What decoded the images, with its version; None where they were not encoded."""


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
    split: Division = "stratified",
    train_limit: int | None = None,
    report: Callable[[str], None] = to_stderr,
) -> ImageData:
    """The train split of a data set, divided in two; its test split is never read.

    Args:
        dataset: `digits`, a data set with an importer, or any image data set of TFDS, as TFDS
            writes it: `NAME`, `NAME/CONFIG`, each with `:VERSION`; without, the highest there is.
        data_dir: where prepared data sets lie; None: `$TFDS_DATA_DIR`, else
            `~/tensorflow_datasets`.
        archive: the original to prepare a missing data set from; None: download it.
        validation_fraction: the part of the train split kept for validation, in (0, 1).
        split_seed: decides which images those are; validation does not depend on `train_limit`.
        split: whether every class has its share of them, or what chance gives it.
        train_limit: keep only so many training images.
        report: takes a line of progress.

    Raises:
        DataError: the data set cannot be found, prepared, read or divided so.
    """
    whole, version = _train_split(dataset, data_dir, archive, report)
    known = TASKS.get(parse_name(dataset).unversioned)
    if known and whole.task != known:
        raise DataError(
            f"what is prepared as {dataset} has {whole.task}, not {known}; "
            "name the folder of the real one with --data-dir DIR"
        )
    train, validation = divide(whole.labels, validation_fraction, split_seed, train_limit, split)
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
    return ImageData(
        dataset,
        whole.task,
        *arrays,
        digest=digest.hexdigest()[:16],
        class_names=whole.class_names,
        split=split,
        version=version,
        decoder=None if version is None else DECODER,
    )


def load_test(
    dataset: str, *, data_dir: Path | None = None, report: Callable[[str], None] = to_stderr
) -> tuple[Images, Labels]:
    """The test images and labels, for final reports: nothing may be chosen by them.

    Raises:
        DataError: the data set is not prepared, or cannot be read.
    """
    if dataset == "digits":
        split = digits.read_digits("test")
    else:
        split = prepared.read(dataset, _prepared(dataset, data_dir), "test")
    _say_unlabelled(dataset, split, report)
    return split.images, split.labels


def versions(dataset: str, *, data_dir: Path | None = None) -> list[str]:
    """The versions of a data set that are prepared, the highest first, whichever is named.

    Raises:
        DataError: a name that cannot be one, or a folder that cannot be read.
    """
    if dataset == "digits":
        return []
    return prepared.versions(dataset, prepared.data_folder(data_dir))


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
) -> tuple[Split, str | None]:
    """The train split, and the version of the data set where there are versions."""
    if dataset == "digits" and archive is None:
        return digits.read_digits("train"), None
    directory = prepare(dataset, prepared.data_folder(data_dir), archive=archive, report=report)

    def read() -> Split:
        report(f"{dataset}: decoding the images in {directory}, kept for the next time")
        return prepared.read(dataset, directory, "train")

    split = cached(dataset, directory, read)
    _say_unlabelled(dataset, split, report)
    return split, directory.name


def _say_unlabelled(dataset: str, split: Split, report: Callable[[str], None]) -> None:
    if split.num_unlabelled:
        number = len(split.labels) + split.num_unlabelled
        report(
            f"{dataset}: {split.num_unlabelled:,} of {number:,} images have no class (label -1) "
            "and are left out"
        )


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
