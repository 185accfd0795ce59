"""What figures of a study by its name are drawn from."""

from __future__ import annotations

from runs.reader import open_reader
from runs.snapshot import Snapshot, read_snapshot
from space.errors import MixerSearchError


class NothingToDrawError(MixerSearchError):
    """The study has nothing yet that such a figure could show."""


def snapshot_of(study: str | Snapshot, storage: str | None) -> Snapshot:
    """The study, read from the database where it was named.

    Raises:
        StorageError: no database there, or no such study in it.
    """
    if isinstance(study, Snapshot):
        return study
    with open_reader(storage) as store:
        return read_snapshot(store, study)
