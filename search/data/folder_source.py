"""A folder of images: `folder:PATH`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import NamedTuple

import numpy as np

from search.data.cache import cached
from search.data.decoding import DECODER, decode_any, look, refusing_huge_images
from search.data.errors import DataError
from search.data.folder_files import LabelledFile, fingerprint, list_images, no_image, shown
from search.data.resize import Pixels, resize_notes, resized
from search.data.source import WAY_OUT, Request, refuse_label
from search.data.split import Split
from space.config import ImageTask
from space.errors import listed
from space.paths import as_path

_BATCH = 500  # files that threads decode before an interrupt is noticed

Shape = tuple[int, int, int]  # rows, columns, channels


class _Seen(NamedTuple):
    """What the headers of a split's files say."""

    shapes: dict[LabelledFile, Shape]
    broken: dict[LabelledFile, str]
    """Why a file cannot be read."""


class FolderSource:
    """Images whose classes are the names of their folders.

    They are turned as their EXIF data say. Grey ones become colour where any training image is.
    """

    version = None
    decoder = DECODER

    def __init__(self, request: Request) -> None:
        if not request.place:
            raise DataError("folder: which one? Name it like folder:PATH")
        refuse_label(request)
        self._dataset = request.dataset
        self._options = request.options
        self._report = request.report
        self._root = as_path(request.place)
        self._listing = list_images(request.dataset, self._root)
        self._seen: dict[str, _Seen] = {}

    def counts(self) -> dict[str, int]:
        """The files of each split, whatever is in them."""
        return {split: len(files) for split, files in self._listing.files.items()}

    def task(self) -> ImageTask:
        """From the headers of the training images alone."""
        shapes = self._looked_at("train").shapes
        size = self._options.image_size
        if size is None:
            first = next(iter(shapes))
            size, columns, _ = shapes[first]
            if size != columns:
                raise DataError(
                    f"{self._dataset} has images that are not square ({shown(first.name)} has "
                    f"{size} rows and {columns} columns); {WAY_OUT}"
                )
            self._check_sizes(shapes, size)
        colour = any(channels == 3 for _, _, channels in shapes.values())
        return ImageTask(
            image_size=size,
            image_channels=3 if colour else 1,
            num_classes=len(self._listing.class_names),
        )

    def read(self, split: str) -> Split:
        """The images of a split, class after class and by name in each."""
        files = self._listing.files[split]
        if split == "test":  # read once in a while
            return self._decoded(split)
        options = self._options
        what = f"{options.image_size}-{options.resize}-{options.skip_broken}"
        stem = re.sub(r"[^\w.-]", "_", self._root.resolve().name, flags=re.ASCII)[:50]
        train = self._listing.files["train"]  # which decide on the channels
        read = train if split == "train" else [*train, *files]
        return cached(
            f"folder-{stem}-{split}-{what}",
            self._root,
            f"{fingerprint(self._root, read)} {self._listing.class_names}",
            partial(self._decoded, split),
        )

    def _looked_at(self, split: str) -> _Seen:
        """The files of a split by their headers."""
        if split not in self._seen:
            seen = _Seen({}, {})
            with refusing_huge_images():
                for file in self._listing.files[split]:
                    try:
                        seen.shapes[file] = look(self._root / file.name)
                    except (OSError, ValueError) as error:
                        seen.broken[file] = self._reason(file, error)
            if split == "train":
                self._check_classes(seen.shapes)
            self._seen[split] = seen
        return self._seen[split]

    def _decoded(self, split: str) -> Split:
        task = self.task()
        kept_where = "" if split == "test" else ", kept for the next time"
        self._report(f"{self._dataset}: decoding the {split} images{kept_where}")
        shapes, broken = self._looked_at(split).shapes, dict(self._looked_at(split).broken)
        size, channels = task.image_size, task.image_channels
        if self._options.image_size is None:
            self._check_sizes(shapes, size)
        images = np.empty((len(shapes), size, size, channels), np.uint8)
        kept: list[LabelledFile] = []
        for file, pixels in self._squares(list(shapes), task):
            if isinstance(pixels, str):
                broken[file] = pixels
            else:
                images[len(kept)] = pixels
                kept.append(file)
        if split == "train":
            self._check_classes(kept)
        elif not kept:
            raise DataError(f"none of the {split} images of {self._dataset} can be read; mend them")
        notes = tuple(self._notes(split, [shapes[file] for file in kept], broken, task))
        return Split(
            task,
            images[: len(kept)],
            np.array([file.label for file in kept], np.int32),
            self._listing.class_names,
            notes=notes,
        )

    def _squares(
        self, files: list[LabelledFile], task: ImageTask
    ) -> Iterator[tuple[LabelledFile, Pixels | str]]:
        """Every file with its pixels, or with the reason why there are none."""

        def square(file: LabelledFile) -> Pixels | str:
            try:
                pixels = decode_any(
                    (self._root / file.name).read_bytes(), task.image_channels, upright=True
                )
            except (OSError, ValueError) as error:
                return self._reason(file, error)
            return resized(pixels, task.image_size, self._options.resize)

        left = iter(files)
        with refusing_huge_images(), ThreadPoolExecutor() as threads:
            while batch := list(islice(left, _BATCH)):
                yield from zip(batch, threads.map(square, batch), strict=True)

    def _reason(self, file: LabelledFile, error: OSError | ValueError) -> str:
        """Why a file cannot be read, where that is no reason to stop.

        Raises:
            DataError: broken files are not skipped.
        """
        reason = getattr(error, "strerror", None) or str(error)
        if self._options.skip_broken:
            return reason
        raise DataError(
            f"{self._dataset}: {shown(file.name)} cannot be read as an image ({reason}); mend it "
            "or move it elsewhere, or leave such files out with --skip-broken"
        )

    def _notes(
        self,
        split: str,
        shapes: list[Shape],
        broken: Mapping[LabelledFile, str],
        task: ImageTask,
    ) -> Iterator[str]:
        """A line for each thing that is not as it lies in the folder."""
        if broken:
            names = [f"{shown(file.name)} ({reason})" for file, reason in broken.items()]
            yield (
                f"{len(broken):,} of {len(self._listing.files[split]):,} {split} files cannot be "
                f"read and are left out: {listed(names, 3)}"
            )
        if (beside := self._listing.num_beside) and split == "train":
            yield f"files beside the class folders have no class and are left out: {beside:,}"
        size, channels = task.image_size, task.image_channels
        num_resized = sum(shape[:2] != (size, size) for shape in shapes)
        yield from resize_notes(num_resized, len(shapes), split, self._options)
        if grey := sum(shape[2] < channels for shape in shapes):
            yield f"{grey:,} of {len(shapes):,} {split} images are grey among coloured ones"
        if coloured := sum(shape[2] > channels for shape in shapes):
            yield f"{coloured:,} of {len(shapes):,} {split} images lose their colours"

    def _check_sizes(self, shapes: Mapping[LabelledFile, Shape], size: int) -> None:
        for file, (rows, columns, _) in shapes.items():
            if (rows, columns) != (size, size):
                raise DataError(
                    f"{self._dataset} has images that vary in size ({shown(file.name)} has {rows} "
                    f"rows and {columns} columns, another {size} of both); {WAY_OUT}"
                )

    def _check_classes(self, files: Iterable[LabelledFile]) -> None:
        trained = {file.label for file in files}
        names = enumerate(self._listing.class_names)
        if empty := [name for label, name in names if label not in trained]:
            raise no_image(self._dataset, empty)
