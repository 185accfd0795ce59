"""Directories prepared by TFDS: finding them, and reading them without TensorFlow."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from search.data.errors import DataError
from search.data.split import Split
from space.config import ImageTask

_NAME = re.compile(r"\w+(/\w[\w.+-]*)?", re.ASCII)  # data set, or data set/configuration
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_BATCH = 1000  # records a read; one by one takes twice as long


def data_folder(given: Path | None) -> Path:
    """Where prepared data sets lie: the folder given, else as TFDS decides.

    Raises:
        DataError: the folder given does not exist, or `TFDS_DATA_DIR` is no local folder.
    """
    if given is not None:
        if not os.path.isdir(given):
            raise DataError(
                f"the data directory {given} is not a folder; "
                f"create it with `mkdir -p {given}`, or leave --data-dir out"
            )
        return given
    named = os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    if "://" in named:
        raise DataError(
            f"TFDS_DATA_DIR={named} is not a local folder; name one with --data-dir DIR"
        )
    return Path(named).expanduser()


def find(dataset: str, folder: Path) -> Path | None:
    """The directory `folder/dataset/version` of the highest version, or None.

    Raises:
        DataError: a name that cannot be one, a folder that cannot be read, or a directory left
            half-way by something else.
    """
    if not _NAME.fullmatch(dataset):
        raise DataError(
            f"{dataset!r} is not the name of a data set; write it like cifar10 or emnist/letters"
        )
    try:
        versions = [path for path in (folder / dataset).iterdir() if _VERSION.fullmatch(path.name)]
        if not versions:
            return None
        newest = max(versions, key=lambda path: tuple(map(int, path.name.split("."))))
        if not any(newest.iterdir()):
            return None
        whole = (newest / "dataset_info.json").is_file()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(
            f"{error.filename} cannot be read ({error.strerror}); "
            "name another folder with --data-dir DIR"
        ) from error
    if not whole:
        raise DataError(
            f"{newest} is not a whole data set (no dataset_info.json); delete it, then prepare "
            f"{dataset} again"
        )
    return newest


def read_task(dataset: str, directory: Path) -> ImageTask:
    """What the data set asks of a network, from its metadata alone.

    Raises:
        DataError: damaged metadata, another file format than array_record, or not a data set of
            square images of one class each.
    """
    with quiet_tfds() as tfds:
        return _subject(tfds, dataset, _builder(tfds, dataset, directory).info)[2]


def count(dataset: str, directory: Path) -> dict[str, int]:
    """The number of images in each split, from the metadata alone.

    Raises:
        DataError: damaged metadata, or another file format than array_record.
    """
    with quiet_tfds() as tfds:
        splits = _builder(tfds, dataset, directory).info.splits
        return {split: splits[split].num_examples for split in splits}


def read(dataset: str, directory: Path, split: str) -> Split:
    """A whole split, in the order of its shards.

    Raises:
        DataError: what `read_task` raises, a missing split, or a record that is missing, damaged,
            or not what the metadata say.
    """
    with quiet_tfds() as tfds:
        info = (builder := _builder(tfds, dataset, directory)).info
        image_key, label_key, task = _subject(tfds, dataset, info)
        if split not in info.splits:
            raise DataError(
                f"{dataset} in {directory} has no split {split!r} but "
                f"{', '.join(info.splits) or 'none'}; choose another data set"
            )
        source = builder.as_data_source(split)
        shape = (task.image_size, task.image_size, task.image_channels)
        images = np.empty((len(source), *shape), np.uint8)
        labels = np.empty(len(source), np.int32)
        for shard, records in _shards(info.splits[split]):
            for start in range(records.start, records.stop, _BATCH):
                batch = range(start, min(start + _BATCH, records.stop))
                try:
                    examples = source.__getitems__(list(batch))
                except (RuntimeError, OSError, ValueError, SyntaxError) as error:
                    # array_record, Riegeli and Pillow between them
                    raise _damaged(dataset, shard, str(error).partition(";")[0]) from error
                for record, example in zip(batch, examples, strict=True):
                    image, label = example[image_key], example[label_key]
                    _refuse_foreign(dataset, shard, image, shape, label, task.num_classes)
                    images[record], labels[record] = image, label
    return Split(task, images, labels)


@contextmanager
def quiet_tfds() -> Iterator[Any]:
    """The module `tensorflow_datasets`, saying nothing and never looking into its cloud bucket."""
    import absl.logging
    import tensorflow_datasets as tfds  # a second
    from tensorflow_datasets.core.utils import gcs_utils

    gcs_utils._is_gcs_disabled = True  # else asked for metadata, with minutes of retries
    verbosity = absl.logging.get_verbosity()
    absl.logging.set_verbosity(absl.logging.ERROR)
    try:
        yield tfds
    finally:
        absl.logging.set_verbosity(verbosity)


def _builder(tfds: Any, dataset: str, directory: Path) -> Any:
    from google.protobuf import json_format  # type: ignore[import-untyped]

    try:
        builder = tfds.builder_from_directory(directory)
    except (json_format.Error, OSError, ValueError) as error:
        raise DataError(
            f"the metadata of {dataset} in {directory} cannot be read "
            f"({str(error).splitlines()[0]}); delete that directory, then prepare {dataset} again"
        ) from error
    formats = [file_format.value for file_format in builder.info.available_file_formats()]
    if "array_record" not in formats:
        raise DataError(
            f"{dataset} in {directory} is prepared as {' and '.join(formats)}, which only "
            "TensorFlow reads; prepare it as array_record in another folder: "
            f"`python -m search.data prepare {dataset} --data-dir DIR`"
        )
    return builder


def _subject(tfds: Any, dataset: str, info: Any) -> tuple[str, str, ImageTask]:
    """The feature that is the image, the one that is its class, and what they ask of a network."""
    # Exact types: the masks of a segmentation, for instance, are a child of Image.
    kinds = {key: type(feature) for key, feature in sorted(info.features.items())}
    images = [key for key, kind in kinds.items() if kind is tfds.features.Image]
    labels = [key for key, kind in kinds.items() if kind is tfds.features.ClassLabel]
    match info.supervised_keys:
        case (str(image), str(label)) if image in images and label in labels:
            images, labels = [image], [label]
    for kind, keys in (("image", images), ("class label", labels)):
        if len(keys) != 1:
            found = f"several ({', '.join(keys)})" if keys else f"none among {', '.join(kinds)}"
            raise DataError(
                f"{dataset} should have one {kind} but has {found}; choose another data set"
            )
    feature, num_classes = info.features[images[0]], info.features[labels[0]].num_classes
    *frames, rows, columns, channels = feature.shape
    if frames:
        problem = "images of several frames"
    elif rows is None or columns is None:
        problem = "images that vary in size"
    elif rows != columns:
        problem = f"images that are not square ({rows} x {columns})"
    elif channels not in (1, 3):
        problem = f"images of {channels} channels, not 1 or 3"
    elif feature.np_dtype != np.uint8:
        problem = f"{np.dtype(feature.np_dtype).name} images, not uint8"
    elif num_classes is None or num_classes < 2:
        problem = f"{num_classes or 'an unknown number of'} classes, not 2 or more"
    else:
        task = ImageTask(image_size=rows, image_channels=channels, num_classes=num_classes)
        return images[0], labels[0], task
    raise DataError(f"{dataset} has {problem}; choose another data set")


def _shards(split_info: Any) -> Iterator[tuple[Path, range]]:
    """Each shard's file and the records of the split that lie in it."""
    start = 0
    for path, length in zip(split_info.filepaths, split_info.shard_lengths, strict=True):
        yield Path(path), range(start, start + length)
        start += length


def _refuse_foreign(
    dataset: str,
    shard: Path,
    image: npt.NDArray[Any],
    shape: tuple[int, int, int],
    label: int,
    num_classes: int,
) -> None:
    if image.shape != shape:
        raise _damaged(dataset, shard, f"an image of shape {image.shape}, not {shape}")
    if not 0 <= label < num_classes:
        raise _damaged(dataset, shard, f"label {label} of {num_classes} classes")


def _damaged(dataset: str, shard: Path, problem: str) -> DataError:
    return DataError(
        f"{shard} cannot be read ({problem}); delete {shard.parent}, then prepare {dataset} again"
    )
