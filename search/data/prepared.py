"""Directories prepared by TFDS: finding them, and reading them without TensorFlow."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from search.data.decoding import decode, decode_any, refusing_huge_images
from search.data.errors import DataError
from search.data.naming import DatasetName, parse_name
from search.data.registry import remedy
from search.data.resize import resize_notes, resized
from search.data.split import Split
from search.data.tfds_features import UNLABELLED, find_subject
from search.spec.data_spec import AS_THEY_ARE, DataSpec
from space.config import ImageTask

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
    """The directory `folder/dataset/version` of the version named, else the highest; or None.

    Raises:
        DataError: a name that cannot be one, a folder that cannot be read, or a directory left
            half-way by something else.
    """
    name = parse_name(dataset)
    found = versions(dataset, folder)
    version = name.version or (found[0] if found else None)
    if version not in found:
        return None
    directory = folder / name.unversioned / version
    if not (directory / "dataset_info.json").is_file():
        raise DataError(
            f"{directory} is not a whole data set (no dataset_info.json); "
            f"{remedy(dataset, directory)}"
        )
    return directory


def versions(dataset: str, folder: Path) -> list[str]:
    """The versions of a data set that lie in `folder`, the highest first, whatever is named.

    Raises:
        DataError: a name that cannot be one, or a folder that cannot be read.
    """
    return _versions_in(folder / parse_name(dataset).unversioned)


def relatives(dataset: str, folder: Path) -> list[str]:
    """What else lies in `folder` of the data set's family: other versions, else configurations.

    Raises:
        DataError: a name that cannot be one, or a folder that cannot be read.
    """
    name = parse_name(dataset)
    if name.version and (others := versions(dataset, folder)):
        return [str(name.at(version)) for version in others]
    family = folder / name.family
    configurations = [
        str(DatasetName(name.family, path.name))
        for path in _folders_in(family)
        if not _VERSION.fullmatch(path.name) and _versions_in(path)
    ]
    alone = [name.family] if name.configuration and _versions_in(family) else []
    return alone + configurations


def _versions_in(directory: Path) -> list[str]:
    """Highest first; an empty directory is none."""
    try:
        found = [
            path.name
            for path in _folders_in(directory)
            if _VERSION.fullmatch(path.name) and any(path.iterdir())
        ]
    except OSError as error:
        raise _unreadable(error) from error
    return sorted(found, key=lambda version: tuple(map(int, version.split("."))), reverse=True)


def _folders_in(directory: Path) -> list[Path]:
    try:
        return sorted(path for path in directory.iterdir() if path.is_dir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(error) from error


def _unreadable(error: OSError) -> DataError:
    return DataError(
        f"{error.filename} cannot be read ({error.strerror}); "
        "name another folder with --data-dir DIR"
    )


def read_task(dataset: str, directory: Path, options: DataSpec = AS_THEY_ARE) -> ImageTask:
    """What the data set asks of a network, from its metadata alone.

    Raises:
        DataError: damaged metadata, another file format than array_record, or not a data set of
            square images of one class each.
    """
    with quiet_tfds() as tfds:
        return find_subject(tfds, dataset, _builder(tfds, dataset, directory).info, options).task


def count(dataset: str, directory: Path) -> dict[str, int]:
    """The number of images in each split, from the metadata alone.

    Raises:
        DataError: damaged metadata, or another file format than array_record.
    """
    with quiet_tfds() as tfds:
        splits = _builder(tfds, dataset, directory).info.splits
        return {split: splits[split].num_examples for split in splits}


def check_split(dataset: str, directory: Path, split: str, counts: dict[str, int]) -> None:
    """Nothing, when there are images in a split.

    Raises:
        DataError: there is no such split, or nothing in it.
    """
    if split not in counts:
        raise DataError(
            f"{dataset} in {directory} has no split {split!r} but {', '.join(counts) or 'none'}; "
            f"choose another data set, or prepare it with a split {split!r}"
        )
    if not counts[split]:
        raise DataError(
            f"{dataset} in {directory} has no images in its split {split!r}; "
            "choose another data set"
        )


def read(dataset: str, directory: Path, split: str, options: DataSpec = AS_THEY_ARE) -> Split:
    """A whole split, in the order of its shards, without the images whose class is not known.

    Raises:
        DataError: what `read_task` raises, a missing split, a record that is missing, damaged, or
            not what the metadata say, or not one image with a class.
    """
    with quiet_tfds() as tfds, refusing_huge_images():
        info = (builder := _builder(tfds, dataset, directory)).info
        subject = find_subject(tfds, dataset, info, options)
        task = subject.task
        counts = {name: info.splits[name].num_examples for name in info.splits}
        check_split(dataset, directory, split, counts)
        # Raw: TFDS would decode every image feature, with whichever decoder is installed.
        source = builder.as_data_source(
            split,
            deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES,
            file_format="array_record",
        )
        shape = (task.image_size, task.image_size, task.image_channels)
        images = np.empty((len(source), *shape), np.uint8)
        num_resized = 0
        labels = np.empty(len(source), np.int32)
        for shard, records in _shards(info.splits[split]):
            for start in range(records.start, records.stop, _BATCH):
                batch = range(start, min(start + _BATCH, records.stop))
                try:
                    raw = source.__getitems__(list(batch))
                except (RuntimeError, OSError, ValueError) as error:
                    # array_record and Riegeli between them
                    raise _damaged(dataset, shard, str(shard), str(error)) from error
                for index, record in zip(batch, raw, strict=True):
                    try:
                        encoded, labels[index] = subject.parsed(record)
                        if options.image_size is None:
                            images[index] = decode(encoded, shape)
                            continue
                        pixels = decode_any(encoded, task.image_channels)
                        num_resized += pixels.shape != shape
                        images[index] = resized(pixels, task.image_size, options.resize)
                    except ValueError as error:
                        where = f"record {index - records.start} of {shard}"
                        raise _damaged(dataset, shard, where, str(error)) from error
        class_names = tuple(info.features[subject.label_key].names)
    labelled = labels != UNLABELLED
    if not labelled.any():
        raise DataError(
            f"none of the {len(labels):,} {split} images of {dataset} in {directory} has a class; "
            "choose another data set"
        )
    num_unlabelled = int(np.count_nonzero(~labelled))
    if num_unlabelled:  # else a copy of all images
        images, labels = images[labelled], labels[labelled]
    notes = resize_notes(num_resized, len(source), split, options)
    return Split(task, images, labels, class_names, num_unlabelled, notes)


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
            f"({str(error).splitlines()[0]}); {remedy(dataset, directory)}"
        ) from error
    formats = [file_format.value for file_format in builder.info.available_file_formats()]
    if "array_record" not in formats:
        raise DataError(
            f"{dataset} in {directory} is prepared as {' and '.join(formats)}, which only "
            "TensorFlow reads; prepare it as array_record in another folder: "
            f"`python -m search.data prepare {dataset} --data-dir DIR`"
        )
    return builder


def _shards(split_info: Any) -> Iterator[tuple[Path, range]]:
    """Each shard's file and the records of the split that lie in it."""
    start = 0
    for path, length in zip(split_info.filepaths, split_info.shard_lengths, strict=True):
        yield Path(path), range(start, start + length)
        start += length


def _damaged(dataset: str, shard: Path, what: str, problem: str) -> DataError:
    return DataError(
        f"{what} cannot be read ({problem.partition(';')[0]}); {remedy(dataset, shard.parent)}"
    )
