"""Decoded splits kept on disk: decoding 50,000 images takes seconds, reading them back a tenth."""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from search.data.decoding import DECODER
from search.data.errors import DataError
from search.data.naming import parse_name
from search.data.registry import remedy
from search.data.split import Split
from space.cache_folder import cache_folder
from space.config import ImageTask
from space.whole_file import whole_file

_FORMAT = "2"  # change it when the same directory should be decoded otherwise
_OLDER = r"-\d+\.\d+\.\d+-[0-9a-f]{16}\.npz"
"""How a name of the first format goes on after the data set: what it holds is not believed."""


def cached(dataset: str, directory: Path, read: Callable[[], Split]) -> Split:
    """What `read` returns, from the cache when `directory` is as it was when last read.

    There is one file a data set, version and directory: what has changed, or was decoded
    otherwise, takes the place of what was kept before. A damaged file is rewritten; a cache that
    cannot be written only costs time.

    Raises:
        DataError: the directory cannot be read; and what `read` raises.
    """
    try:
        fingerprint = _fingerprint(directory)
    except OSError as error:
        raise DataError(
            f"{error.filename} cannot be read ({error.strerror}); {remedy(dataset, directory)}"
        ) from error
    stem = parse_name(dataset).file_stem
    place = hashlib.sha256(os.fsencode(directory.resolve())).hexdigest()[:16]
    path = cache_folder() / f"{stem}-{directory.name}-at-{place}.npz"
    with suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return _load(path, fingerprint)
    split = read()
    with suppress(OSError):
        _save(path, split, fingerprint)
        _remove_older(stem)
    return split


def _fingerprint(directory: Path) -> str:
    """Changes with the decoder and with a file: the metadata, or a shard's size or time."""
    digest = hashlib.sha256(f"{_FORMAT} {DECODER}\n".encode())
    digest.update((directory / "dataset_info.json").read_bytes())
    for file in sorted(directory.iterdir()):
        status = file.stat()
        digest.update(f"{file.name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _load(path: Path, fingerprint: str) -> Split:
    """What is kept there.

    Raises:
        ValueError: it is of another fingerprint, or not what was written; and OSError, KeyError,
            EOFError, BadZipFile for what is missing or damaged.
    """
    with path.open("rb") as file, np.load(file) as arrays:  # checks the checksums of the zip
        if str(arrays["fingerprint"]) != fingerprint:
            raise ValueError("the directory has changed since")
        images, labels = arrays["images"], arrays["labels"]
        class_names = tuple(map(str, arrays["class_names"]))
        num_unlabelled = int(arrays["num_unlabelled"])
    _, image_size, _, image_channels = images.shape
    task = ImageTask(
        image_size=image_size, image_channels=image_channels, num_classes=len(class_names)
    )
    return Split(task, images, labels, class_names, num_unlabelled)


def _save(path: Path, split: Split, fingerprint: str) -> None:
    with whole_file(path) as file:
        np.savez(
            file,
            fingerprint=fingerprint,
            images=split.images,
            labels=split.labels,
            class_names=np.array(split.class_names),
            num_unlabelled=split.num_unlabelled,
        )


def _remove_older(stem: str) -> None:
    """Removes what the first format, which had a file a fingerprint, kept of the data set."""
    older = re.compile(re.escape(stem) + _OLDER)
    for path in cache_folder().iterdir():
        if older.fullmatch(path.name):
            path.unlink(missing_ok=True)
