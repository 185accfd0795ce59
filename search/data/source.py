"""What a source of images is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from search.data.errors import DataError
from search.data.split import Split
from search.spec.data_spec import AS_THEY_ARE, DataSpec
from space.config import ImageTask

WAY_OUT = "add `image_size = 64`, or another size, to [data] of the study file to convert them"
"""What to do about images that vary in size or are not square: the end of a sentence."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A data set by its name, how its images are wanted, and where to look."""

    dataset: str
    options: DataSpec = AS_THEY_ARE
    data_dir: Path | None = None
    archive: Path | None = None
    may_prepare: bool = False
    """Whether a data set that is missing is prepared; else it is refused."""
    report: Callable[[str], None]
    """Takes a line of progress."""

    @property
    def kind(self) -> str:
        """What stands before the first colon: the name of a source, or of a TFDS data set."""
        return self.dataset.partition(":")[0]

    @property
    def place(self) -> str:
        """What stands behind the first colon: a path, or a version."""
        return self.dataset.partition(":")[2]


class Source(Protocol):
    """One data set, opened; of its splits `train`, `validation` and `test` are read.

    Every method raises DataError where the data set cannot be had, read, or shown to a network.
    """

    @property
    def version(self) -> str | None:
        """Of the data set; None where there are no versions."""

    @property
    def decoder(self) -> str | None:
        """What makes the pixels, with its version; None where they are read as they are."""

    def counts(self) -> Mapping[str, int]:
        """How many images each split has, without looking at any."""

    def task(self) -> ImageTask:
        """What it asks of a network, without decoding the images."""

    def read(self, split: str) -> Split:
        """All images of one of the splits that `counts` names, in an order that stays.

        Reading `train` or `validation` never reads `test`.
        """


def refuse_label(request: Request) -> None:
    """Nothing, where no label is chosen.

    Raises:
        DataError: one is chosen of a data set that has classes and nothing else.
    """
    if request.options.label is not None:
        raise DataError(
            f"{request.dataset} has one class for each image, and data.label = "
            f"{request.options.label!r} chooses among several; leave it out"
        )
