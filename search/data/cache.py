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
from search.data.split import Split
from space.cache_folder import cache_folder
from space.config import ImageTask
from space.whole_file import whole_file

_FORMAT = "3"  # change it when the same directory should be decoded otherwise
_OLDER = re.compile(r"\w+(-[\w.+-]+)?-\d+\.\d+\.\d+-[0-9a-f]{16}\.npz")
"""A name of the first format: what it holds is not believed."""


def cached(stem: str, place: Path, fingerprint: str, read: Callable[[], Split]) -> Split:
    """What `read` returns, from the cache where the fingerprint is that of the time before.

    There is one file a stem and place: what has changed, or was decoded otherwise, takes the place
    of what was kept before. A damaged file is rewritten; a cache that cannot be written only costs
    time.

    Args:
        stem: how the file's name begins: the data set, and what is read of it.
        place: where the images lie.
        fingerprint: changes with whatever changes what is read there; the decoder is added here.
        read: reads it.

    Raises:
        Exception: what `read` raises.
    """
    fingerprint = hashlib.sha256(f"{_FORMAT} {DECODER}\n{fingerprint}".encode()).hexdigest()
    at = hashlib.sha256(os.fsencode(place.resolve())).hexdigest()[:16]
    path = cache_folder() / f"{stem}-at-{at}.npz"
    with suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return _load(path, fingerprint)
    split = read()
    with suppress(OSError):
        _save(path, split, fingerprint)
        _remove_older()
    return split


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
        notes = tuple(map(str, arrays["notes"]))
    _, image_size, _, image_channels = images.shape
    task = ImageTask(
        image_size=image_size, image_channels=image_channels, num_classes=len(class_names)
    )
    return Split(task, images, labels, class_names, num_unlabelled, notes)


def _save(path: Path, split: Split, fingerprint: str) -> None:
    with whole_file(path) as file:
        np.savez(
            file,
            fingerprint=fingerprint,
            images=split.images,
            labels=split.labels,
            class_names=np.array(split.class_names),
            num_unlabelled=split.num_unlabelled,
            notes=np.array(split.notes, dtype=str),
        )


def _remove_older() -> None:
    """Removes what the first format, which had a file a fingerprint, kept."""
    for path in cache_folder().iterdir():
        if _OLDER.fullmatch(path.name):
            path.unlink(missing_ok=True)
