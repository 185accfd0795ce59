"""Decoded splits kept on disk: decoding 50,000 images takes seconds, reading them back a tenth."""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from search.cache_folder import cache_folder
from search.data.errors import DataError
from search.data.split import Split
from space.config import ImageTask

_FORMAT = b"1"  # change it when the same directory should be decoded otherwise


def cached(dataset: str, directory: Path, read: Callable[[], Split]) -> Split:
    """What `read` returns, from the cache when `directory` is as it was when last read.

    A damaged file is rewritten; a cache that cannot be written only costs time.

    Raises:
        DataError: the directory cannot be read; and what `read` raises.
    """
    try:
        fingerprint = _fingerprint(directory)
    except OSError as error:
        raise DataError(
            f"{error.filename} cannot be read ({error.strerror}); mend or delete {directory}, "
            f"then prepare {dataset} again"
        ) from error
    path = cache_folder() / f"{dataset.replace('/', '-')}-{directory.name}-{fingerprint}.npz"
    with suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return _load(path)
    split = read()
    with suppress(OSError):
        _save(path, split)
    return split


def _fingerprint(directory: Path) -> str:
    """Changes whenever a file of the directory does: its metadata, or a shard's size or time."""
    digest = hashlib.sha256(_FORMAT)
    digest.update((directory / "dataset_info.json").read_bytes())
    for file in sorted(directory.iterdir()):
        status = file.stat()
        digest.update(f"{file.name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _load(path: Path) -> Split:
    with path.open("rb") as file, np.load(file) as arrays:  # checks the checksums of the zip
        images, labels = arrays["images"], arrays["labels"]
        num_classes = int(arrays["num_classes"])
    _, image_size, _, image_channels = images.shape
    task = ImageTask(image_size=image_size, image_channels=image_channels, num_classes=num_classes)
    return Split(task, images, labels)


def _save(path: Path, split: Split) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
        try:
            np.savez(
                file, images=split.images, labels=split.labels, num_classes=split.task.num_classes
            )
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
