"""The studies of the dashboard's database and of others named at its start, to be compared.

A link chooses among them by a number and a name: `0#NAME` is of the dashboard's own database, `1#`
of the first other one. No link names a database, or any web page could have this program open files
and connections; and no URL, which may hold a password, stands in a page's address.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dashboard import reading
from dashboard.other_storages import other_storages
from runs.confirmed import Confirmed
from runs.snapshot import Snapshot
from runs.storage import StorageError, describe, parse_storage


@dataclass(frozen=True)
class Listed:
    """A study that can be compared."""

    place: int
    """Of its database: 0 of the dashboard's own."""
    name: str
    searches: bool = True
    """As far as its record tells."""

    @property
    def key(self) -> str:
        """What a link has."""
        return f"{self.place}#{self.name}"

    @property
    def where(self) -> str:
        """Its database as the page names it, the password hidden."""
        return describe(parse_storage(_storages()[self.place]))


def listed() -> Iterator[list[Listed] | StorageError]:
    """The studies of each database, newest first, or why it cannot be read now."""
    for place, storage in enumerate(_storages()):
        try:
            studies = reading.studies(storage)
            yield [Listed(place, name, searches) for name, searches in studies.items()]
        except StorageError as error:
            yield error


def labels(studies: Iterable[Listed]) -> dict[str, str]:
    """What a person reads for each study, by its key: the name, and of those of other databases
    that are called alike where they are."""
    there = list(studies)
    names = Counter(study.name for study in there)
    return {
        study.key: study.name
        if study.place == 0 or names[study.name] == 1
        else f"{study.name} ({study.where})"
        for study in there
    }


def snapshot(study: Listed, *, follow: bool) -> Snapshot:
    """The study as `reading.latest` has it, the same object as other pages show.

    Raises:
        StorageError: it is not there any more, or its database cannot be read.
    """
    return reading.latest(study.name, _storages()[study.place], follow=follow)


def confirmed(study: Listed, snapshot: Snapshot) -> Confirmed | None:
    """What fresh seeds say of the study; None where none or one has ended yet.

    Raises:
        StorageError: its database cannot be read.
    """
    return reading.confirmed(snapshot, _storages()[study.place])


def _storages() -> list[str | None]:
    """The URLs of all databases; None for the dashboard's own, which is the first."""
    return [None, *other_storages()]
