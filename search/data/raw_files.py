"""What lies in the files the authors of CIFAR and MNIST published."""

from __future__ import annotations

import gzip
import math
import struct
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from search.data.errors import DataError
from search.data.split import Images

_DAMAGED = (tarfile.TarError, zlib.error, EOFError, OSError)


@dataclass(frozen=True, eq=False)
class Records:
    """The images of one split in their original order, and their labels by feature name."""

    images: Images
    labels: Mapping[str, npt.NDArray[np.uint8]]


@dataclass(frozen=True, eq=False)
class Originals:
    """The splits by name, and the class names by feature name where the files hold them."""

    splits: Mapping[str, Records]
    class_names: Mapping[str, list[str]]


def read_cifar(
    archive: Path, folder: str, files: Mapping[str, Iterable[str]], names: Mapping[str, str]
) -> Originals:
    """The binary version of CIFAR: a tar.gz of records of label bytes and 3 x 32 x 32 bytes.

    Args:
        archive: `cifar-10-binary.tar.gz` or `cifar-100-binary.tar.gz`.
        folder: the folder in it.
        files: the files of each split, in order.
        names: for each label byte of a record, in order, its feature and its file of class names.

    Raises:
        DataError: the archive is damaged or is something else.
    """
    wanted = [*names.values(), *(file for split in files.values() for file in split)]
    found = _members(archive, folder, wanted)
    class_names = {
        feature: [line for line in found[file].decode("utf-8", "replace").split("\n") if line]
        for feature, file in names.items()
    }
    return Originals(
        splits={
            split: _cifar_records(archive, b"".join(found[file] for file in files[split]), names)
            for split in files
        },
        class_names=class_names,
    )


def read_mnist(paths: list[Path]) -> Originals:
    """The IDX files of MNIST and its kin: train images and labels, then test images and labels.

    Raises:
        DataError: a file is damaged or is something else.
    """
    splits = {}
    for split, (image_file, label_file) in {"train": paths[:2], "test": paths[2:]}.items():
        images = _idx(image_file, dimensions=3)
        labels = _idx(label_file, dimensions=1)
        if len(images) != len(labels):
            raise DataError(
                f"{image_file} holds {len(images)} images but {label_file} {len(labels)} labels"
            )
        splits[split] = Records(images[..., np.newaxis], {"label": labels})
    return Originals(splits, class_names={})


def _members(archive: Path, folder: str, wanted: list[str]) -> dict[str, bytes]:
    """The wanted files of a tar.gz, in one pass: going back would mean unpacking it again."""
    found = {}
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                file = member.name.removeprefix(f"{folder}/")
                if file in wanted and (content := tar.extractfile(member)):
                    found[file] = content.read()
    except _DAMAGED as error:
        raise DataError(f"{archive} is not a whole tar.gz archive ({error})") from error
    missing = [file for file in wanted if file not in found]
    if missing:
        raise DataError(f"{archive} has no {folder}/{missing[0]}")
    return found


def _cifar_records(archive: Path, content: bytes, names: Mapping[str, str]) -> Records:
    record = len(names) + 3 * 32 * 32
    if not content or len(content) % record:
        raise DataError(f"{archive} holds {len(content)} bytes where records have {record} each")
    rows = np.frombuffer(content, np.uint8).reshape(-1, record)
    planes = rows[:, len(names) :].reshape(-1, 3, 32, 32)
    return Records(
        images=planes.transpose(0, 2, 3, 1),  # images, rows, columns, channels
        labels={feature: rows[:, i] for i, feature in enumerate(names)},
    )


def _idx(path: Path, *, dimensions: int) -> npt.NDArray[np.uint8]:
    """The bytes of a gzipped IDX file (http://yann.lecun.com/exdb/mnist) in their shape."""
    try:
        with gzip.open(path) as file:
            content = file.read()
    except _DAMAGED as error:
        raise DataError(f"{path} is not a whole gzip file ({error})") from error
    header = f">{1 + dimensions}I"
    length = struct.calcsize(header)
    magic, *shape = struct.unpack(header, content[:length].ljust(length, b"\0"))
    if magic != 0x0800 + dimensions:  # unsigned bytes, so many dimensions
        raise DataError(f"{path} is not an IDX file of {dimensions} dimensions")
    values = content[length:]
    if not values or len(values) != math.prod(shape):
        raise DataError(f"{path} holds {len(values)} values where its header says {shape}")
    return np.frombuffer(values, np.uint8).reshape(shape)
