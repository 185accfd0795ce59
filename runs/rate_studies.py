"""The studies that found the learning rates of another, and go where that goes."""

from __future__ import annotations

from runs.reader import Reader
from runs.record import StudyRecord
from runs.storage import StorageError


def rate_studies_of(store: Reader, study: str) -> list[StudyRecord]:
    """Those that found, or were to find, its learning rates, the oldest first."""
    return [child for child in reversed(store.studies()) if child.rates_of == study]


def check_is_whole(store: Reader, study: str, verb: str) -> None:
    """Looks whether a study may be renamed or deleted by itself.

    Raises:
        UnknownStudyError: there is no such study.
        StorageError: it found the learning rates of another one that is there.
    """
    parent = store.study(study).rates_of
    if parent is not None and any(other.name == parent for other in store.studies()):
        raise StorageError(
            f"study {study!r} found the learning rates of study {parent!r} and belongs to it; "
            f"{verb} that one, and this goes with it"
        )
