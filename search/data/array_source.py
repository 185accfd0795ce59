"""Arrays: `arrays:FILE.npz`, or given from Python."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from search.data.class_names import check_class_names, missing_note
from search.data.decoding import DECODER
from search.data.errors import DataError
from search.data.resize import resize_all
from search.data.source import WAY_OUT, Request, refuse_label
from search.data.split import Images, Labels, Split
from space.config import ImageTask
from space.errors import nearest
from space.paths import as_path

Arrays = Mapping[str, npt.ArrayLike]
"""`train_images` and `train_labels`, perhaps `validation_*`, `test_*` and `class_names`."""

_SPLITS = ("train", "validation", "test")
KEYS = (*(f"{split}_{what}" for split in _SPLITS for what in ("images", "labels")), "class_names")

_HOW = (
    "images are uint8 [images, rows, columns] or [images, rows, columns, channels], 1 or 3 channels"
)


class ArraySource:
    """Images uint8 [n, rows, columns(, channels)], labels [n] of any whole numbers from 0 on."""

    version = None

    def __init__(self, arrays: Arrays, request: Request) -> None:
        self._dataset = request.dataset
        self._options = request.options
        self.decoder = DECODER if request.options.image_size else None
        refuse_label(request)
        self._splits = _pairs(request.dataset, arrays)
        train_images, train_labels = self._splits["train"]
        self._class_names = _class_names(request.dataset, arrays.get("class_names"), train_labels)
        rows, columns, self._channels = train_images.shape[1:]
        for split, (images, labels) in self._splits.items():
            if images.shape[1:] != train_images.shape[1:]:
                raise DataError(
                    f"{request.dataset}: {split}_images are {_by(images)}, and train_images "
                    f"{_by(train_images)}; make them alike"
                )
            self._check_labels(split, labels)
        if rows != columns and self._options.image_size is None:
            raise DataError(
                f"{request.dataset} has images that are not square ({rows} rows and {columns} "
                f"columns); {WAY_OUT}"
            )
        self._image_size = self._options.image_size or rows

    def counts(self) -> dict[str, int]:
        """The lengths of the arrays."""
        return {split: len(labels) for split, (_, labels) in self._splits.items()}

    def task(self) -> ImageTask:
        """From the shapes of the arrays."""
        return ImageTask.model_validate(
            {
                "image_size": self._image_size,
                "image_channels": self._channels,
                "num_classes": len(self._class_names),
            }
        )

    def read(self, split: str) -> Split:
        """The images of a split in the order given, converted where a size is asked for."""
        images, labels = self._splits[split]
        images, notes = resize_all(images, split, self._options)
        if split == "train":
            counts = np.bincount(labels, minlength=len(self._class_names))
            notes = (*notes, *missing_note(self._class_names, counts.tolist()))
        return Split(self.task(), images, labels, self._class_names, notes=notes)

    def _check_labels(self, split: str, labels: Labels) -> None:
        beyond = (labels < 0) | (labels >= len(self._class_names))
        if beyond.any():
            index = int(beyond.argmax())
            raise DataError(
                f"{self._dataset}: {split}_labels[{index}] is {labels[index]}, and there are "
                f"{len(self._class_names)} classes; labels are whole numbers from 0 to "
                f"{len(self._class_names) - 1}"
            )


def open_array_file(request: Request) -> ArraySource:
    """The arrays of an `.npz` file, of which nothing is unpickled.

    Raises:
        DataError: no such file, another kind of file, or arrays that are no images with classes.
    """
    if not request.place:
        raise DataError("arrays: which ones? Name the file like arrays:FILE.npz")
    path = as_path(request.place)
    return ArraySource(_read(request.dataset, path), request)


def _read(dataset: str, path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if not isinstance(loaded, np.lib.npyio.NpzFile):
                raise DataError(
                    f"{dataset} holds one array; save several with numpy.savez: "
                    "train_images, train_labels, ..."
                )
            with loaded as arrays:
                _check_keys(dataset, arrays.files)
                return {key: arrays[key] for key in arrays.files}
    except OSError as error:
        reason = error.strerror or "it is no .npz file"
        raise DataError(
            f"{dataset} cannot be read ({reason}); name a file like arrays:FILE.npz"
        ) from error
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        pickled = "allow_pickle" in str(error) or "pickled" in str(error)
        reason = "it holds pickled objects, which may run code" if pickled else str(error)
        raise DataError(
            f"{dataset} cannot be read ({reason}); save it again with numpy.savez, arrays of "
            "numbers and of texts only"
        ) from error


def _check_keys(dataset: str, keys: list[str]) -> None:
    for key in keys:
        if key not in KEYS:
            raise DataError(
                f"{dataset} holds {key!r}{nearest(key, KEYS)}; known are {', '.join(KEYS)}: save "
                "it with those"
            )
    missing = [key for key in ("train_images", "train_labels") if key not in keys]
    for split in _SPLITS:
        pair = [f"{split}_images", f"{split}_labels"]
        missing += [key for key in pair if len({*pair} & {*keys}) == 1 and key not in keys]
    if missing:
        raise DataError(f"{dataset} has no {missing[0]}; save it with them")


def _pairs(dataset: str, arrays: Arrays) -> dict[str, tuple[Images, Labels]]:
    """Images uint8 [n, rows, columns, channels] and labels int32 [n] of each split there is."""
    given = {key: value for key, value in arrays.items() if value is not None}
    _check_keys(dataset, list(given))
    pairs = {}
    for split in _SPLITS:
        if f"{split}_images" not in given:
            continue
        images = np.asarray(given[f"{split}_images"])
        labels = np.asarray(given[f"{split}_labels"])
        if images.dtype != np.uint8:
            raise DataError(
                f"{dataset}: {split}_images are {images.dtype}; {_HOW}: 0 is dark, 255 bright"
            )
        if images.ndim == 3:
            images = images[..., np.newaxis]
        if images.ndim != 4 or images.shape[3] not in (1, 3) or 0 in images.shape[1:]:
            raise DataError(f"{dataset}: {split}_images have the shape {images.shape}; {_HOW}")
        if labels.dtype.kind not in "iu" or labels.ndim != 1:
            raise DataError(
                f"{dataset}: {split}_labels are {labels.dtype} of shape {labels.shape}; labels "
                "are whole numbers, one an image"
            )
        if len(images) != len(labels) or not len(images):
            raise DataError(
                f"{dataset}: {split}_images are {len(images):,} and {split}_labels "
                f"{len(labels):,}; there is one label an image, and one image at least"
            )
        outside = (labels < 0) | (labels > np.iinfo(np.int32).max)
        if outside.any():
            index = int(outside.argmax())
            raise DataError(
                f"{dataset}: {split}_labels[{index}] is {labels[index]}; "
                "labels are whole numbers from 0 on"
            )
        pairs[split] = (np.ascontiguousarray(images), labels.astype(np.int32))
    return pairs


def _class_names(dataset: str, given: npt.ArrayLike | None, labels: Labels) -> tuple[str, ...]:
    if given is None:
        used = np.unique(labels)
        if used[-1] >= len(used):
            missing = int((used != np.arange(len(used))).argmax())
            raise DataError(
                f"{dataset}: train_labels go up to {used[-1]} and none is {missing}; number the "
                "classes from 0 on without a gap, or give class_names"
            )
        names: tuple[str, ...] = tuple(map(str, range(len(used))))
    else:
        array = np.asarray(given)
        if array.dtype.kind != "U" or array.ndim != 1:
            raise DataError(
                f"{dataset}: class_names are {array.dtype} of shape {array.shape}; give one text "
                "a class"
            )
        names = tuple(map(str, array))
    check_class_names(dataset, names)
    return names


def _by(images: Images) -> str:
    return " x ".join(map(str, images.shape[1:]))
