"""The sources of images, by the word a data set's name begins with."""

from __future__ import annotations

from collections.abc import Callable

from search.data.array_source import open_array_file
from search.data.digits import DigitsSource
from search.data.errors import DataError
from search.data.folder_source import FolderSource
from search.data.naming import DatasetName, parse_name
from search.data.registry import IMPORTERS
from search.data.source import Request, Source
from search.data.tfds_source import TfdsSource

SOURCES: dict[str, Callable[[Request], Source]] = {
    "digits": DigitsSource,  # digits
    "folder": FolderSource,  # folder:PATH
    "arrays": open_array_file,  # arrays:FILE.npz
}
"""Every other name is TFDS's."""


def open_source(request: Request) -> Source:
    """The source of the data set that is named.

    Raises:
        DataError: the name is none, or nothing is there.
    """
    if request.kind not in SOURCES:
        return TfdsSource(request)
    if request.archive is not None:
        raise DataError(
            f"an archive was given for {request.dataset}, but only {', '.join(IMPORTERS)} are "
            "prepared from one; leave --archive out"
        )
    return SOURCES[request.kind](request)


def source_of(dataset: str) -> str | None:
    """The word in `SOURCES` that a data set's name begins with; None for TFDS's."""
    kind = dataset.partition(":")[0]
    return kind if kind in SOURCES else None


def tfds_name(dataset: str) -> DatasetName | None:
    """The parts of a name in TFDS's notation; None where it belongs to another source.

    Raises:
        DataError: it is neither.
    """
    return None if source_of(dataset) else parse_name(dataset)
