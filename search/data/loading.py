"""The images of a study as arrays, divided into train and validation."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy.typing as npt

from search.data import prepared
from search.data.array_source import Arrays, ArraySource
from search.data.digits import TASK as DIGITS
from search.data.division import divide, shuffled
from search.data.errors import DataError, NoTestError
from search.data.registry import IMPORTERS
from search.data.source import Request, Source
from search.data.sources import open_source, source_of
from search.data.split import Images, Labels, Split
from search.spec.data_spec import AS_THEY_ARE, DataSpec, Validation
from search.spec.studies import Division
from space.config import ImageTask

# What the data sets everybody names ask of a network: known without any file.
TASKS = {"digits": DIGITS} | {name: importer.task for name, importer in IMPORTERS.items()}


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
    """How validation was chosen, where it is a part of the train split."""
    version: str | None = None
    """Of the data set; None where there are no versions."""
    decoder: str | None = None
    """What decoded or converted the images, with its version; None where they are as they were."""
    validation: Validation = "split"
    """Whether validation is the data set's own."""
    has_test: bool = False
    """Whether there are test images, which are not among these."""


def to_stderr(line: str) -> None:
    """Print a line of progress where it does not mix with results."""
    print(line, file=sys.stderr, flush=True)


def load(
    dataset: str | Arrays | ImageData,
    *,
    data_dir: Path | None = None,
    archive: Path | None = None,
    validation_fraction: float = 0.1,
    split_seed: int = 0,
    split: Division = "stratified",
    train_limit: int | None = None,
    options: DataSpec = AS_THEY_ARE,
    report: Callable[[str], None] = to_stderr,
) -> ImageData:
    """The images to train and to validate on; those of a test split are never read.

    Args:
        dataset: `digits`; `folder:PATH`; `arrays:FILE.npz`; a data set with an importer, or any
            image data set of TFDS, as TFDS writes it: `NAME`, `NAME/CONFIG`, each with `:VERSION`;
            without, the highest there is. Or arrays by the keys that such a file has. Images that
            were loaded before are returned as they are.
        data_dir: where prepared data sets lie; None: `$TFDS_DATA_DIR`, else
            `~/tensorflow_datasets`.
        archive: the original to prepare a missing data set from; None: download it.
        validation_fraction: the part of the train split kept for validation, in (0, 1); not used
            where validation is the data set's own.
        split_seed: decides which images those are, and the order of the training images;
            validation does not depend on `train_limit`.
        split: whether every class has its share of them, or what chance gives it.
        train_limit: keep only so many training images.
        options: size, label and validation split; see `DataSpec`.
        report: takes a line of progress.

    Raises:
        DataError: the data set cannot be found, prepared, read or divided so.
    """
    if isinstance(dataset, ImageData):
        return dataset
    source = _opened(
        dataset,
        Request(
            dataset=_name(dataset),
            options=options,
            data_dir=data_dir,
            archive=archive,
            may_prepare=True,
            report=report,
        ),
    )
    name, counts = _name(dataset), source.counts()
    validation = options.validation or ("own" if counts.get("validation") else "split")
    if validation == "own" and not counts.get("validation"):
        raise DataError(
            f'{name} has no validation images of its own; leave validation = "own" out of [data], '
            "and a part of its training images validates"
        )
    whole = _read(source, name, "train", report)
    if validation == "own":
        own = _read(source, name, "validation", report)
        chosen = shuffled(len(whole.labels), split_seed, train_limit)
        arrays = (whole.images[chosen], whole.labels[chosen], own.images, own.labels)
    else:
        if number := counts.get("validation"):
            report(f"{name}: its own {number:,} validation images are left out")
        chosen, kept_out = divide(whole.labels, validation_fraction, split_seed, train_limit, split)
        arrays = (
            whole.images[chosen],
            whole.labels[chosen],
            whole.images[kept_out],
            whole.labels[kept_out],
        )
    return ImageData(
        name,
        whole.task,
        *arrays,
        digest=_digest(*arrays),
        class_names=whole.class_names,
        split=split,
        version=source.version,
        decoder=source.decoder,
        validation=validation,
        has_test=bool(counts.get("test")),
    )


def from_arrays(
    train_images: npt.ArrayLike,
    train_labels: npt.ArrayLike,
    *,
    validation_images: npt.ArrayLike | None = None,
    validation_labels: npt.ArrayLike | None = None,
    class_names: npt.ArrayLike | None = None,
    validation_fraction: float = 0.1,
    split_seed: int = 0,
    split: Division = "stratified",
    options: DataSpec = AS_THEY_ARE,
    report: Callable[[str], None] = to_stderr,
) -> ImageData:
    """The images of a study from arrays in memory.

    Args:
        train_images: uint8 [n, rows, columns] or [n, rows, columns, channels], 1 or 3 channels;
            square, unless `options.image_size` says what they are converted to.
        train_labels: whole numbers [n] from 0 on.
        validation_images: as `train_images`; None: a part of them.
        validation_labels: as `train_labels`.
        class_names: one text a class; None: their numbers.
        validation_fraction: as `load`.
        split_seed: as `load`.
        split: as `load`.
        options: as `load`.
        report: as `load`.

    Raises:
        DataError: the arrays do not fit, or cannot be divided so.
    """
    arrays = {
        "train_images": train_images,
        "train_labels": train_labels,
        "validation_images": validation_images,
        "validation_labels": validation_labels,
        "class_names": class_names,
    }
    return load(
        {key: value for key, value in arrays.items() if value is not None},
        validation_fraction=validation_fraction,
        split_seed=split_seed,
        split=split,
        options=options,
        report=report,
    )


def load_test(
    dataset: str | Arrays,
    *,
    data_dir: Path | None = None,
    options: DataSpec = AS_THEY_ARE,
    report: Callable[[str], None] = to_stderr,
) -> tuple[Images, Labels]:
    """The test images and labels, for final reports: nothing may be chosen by them.

    Raises:
        NoTestError: the data set has no test split.
        DataError: it is not prepared, or cannot be read.
    """
    split = load_test_split(dataset, data_dir=data_dir, options=options, report=report)
    return split.images, split.labels


def load_test_split(
    dataset: str | Arrays,
    *,
    data_dir: Path | None = None,
    options: DataSpec = AS_THEY_ARE,
    report: Callable[[str], None] = to_stderr,
) -> Split:
    """As `load_test`, with the names of the classes.

    Raises:
        NoTestError: the data set has no test split.
        DataError: it is not prepared, or cannot be read.
    """
    name = _name(dataset)
    request = Request(dataset=name, options=options, data_dir=data_dir, report=report)
    source = _opened(dataset, request)
    if not source.counts().get("test"):
        raise NoTestError(
            f"{name} has no test images, so nothing can be confirmed on them; give it some, or "
            "choose a data set that has them"
        )
    return _read(source, name, "test", report)


def test_digest(images: Images, labels: Labels) -> str:
    """SHA-256 of a test split, in hexadecimal, under which its readings are counted."""
    return hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()


def versions(dataset: str, *, data_dir: Path | None = None) -> list[str]:
    """The versions of a data set that are prepared, the highest first, whichever is named.

    Raises:
        DataError: a name that cannot be one, or a folder that cannot be read.
    """
    if source_of(dataset):
        return []
    return prepared.versions(dataset, prepared.data_folder(data_dir))


def find_task(
    dataset: str, *, data_dir: Path | None = None, options: DataSpec = AS_THEY_ARE
) -> ImageTask:
    """What the data set asks of a network: known, else from metadata, shapes or headers.

    Raises:
        DataError: the data set is neither known nor there, or is not for classifying images.
    """
    request = Request(dataset=dataset, options=options, data_dir=data_dir, report=to_stderr)
    return open_source(request).task()


def _opened(dataset: str | Arrays, request: Request) -> Source:
    if isinstance(dataset, Mapping):
        return ArraySource(dataset, request)
    return open_source(request)


def _name(dataset: str | Arrays) -> str:
    return "arrays" if isinstance(dataset, Mapping) else dataset


def _read(source: Source, name: str, split: str, report: Callable[[str], None]) -> Split:
    read = source.read(split)
    for note in read.notes:
        report(f"{name}: {note}")
    if read.num_unlabelled:
        number = len(read.labels) + read.num_unlabelled
        report(
            f"{name}: {read.num_unlabelled:,} of {number:,} images have no class (label -1) "
            "and are left out"
        )
    return read


def _digest(*arrays: Images | Labels) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()[:16]
