"""How a data set is named, in TFDS's own notation: `NAME`, `NAME/CONFIG`, each with `:VERSION`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from search.data.errors import DataError

_NOTATION = re.compile(
    r"(?P<family>\w+)(/(?P<configuration>\w[\w.+-]*))?(:(?P<version>\d+\.\d+\.\d+))?", re.ASCII
)


@dataclass(frozen=True)
class DatasetName:
    """A data set, perhaps a configuration of it, perhaps one version."""

    family: str
    configuration: str | None = None
    version: str | None = None

    @property
    def unversioned(self) -> str:
        """`NAME` or `NAME/CONFIG`: where it lies below a data folder, and what importers know."""
        return f"{self.family}/{self.configuration}" if self.configuration else self.family

    @property
    def file_stem(self) -> str:
        """`NAME` or `NAME-CONFIG`, for files that are kept for the data set."""
        return self.unversioned.replace("/", "-")

    def at(self, version: str) -> DatasetName:
        """The same data set in that version."""
        return replace(self, version=version)

    def __str__(self) -> str:
        return f"{self.unversioned}:{self.version}" if self.version else self.unversioned


def parse_name(dataset: str) -> DatasetName:
    """The parts of a name.

    Raises:
        DataError: it is not in the notation.
    """
    if not (found := _NOTATION.fullmatch(dataset)):
        raise DataError(
            f"{dataset!r} is not the name of a data set; "
            "write it like cifar10, emnist/letters or emnist/letters:3.1.0"
        )
    return DatasetName(**found.groupdict())
