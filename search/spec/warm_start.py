"""An earlier study as a study's specification names it: `STUDY`, or `URL#STUDY`."""

from __future__ import annotations

from dataclasses import dataclass

from runs.storage import without_password
from runs.study_name import check_name
from space.errors import MixerSearchError


class WarmStartError(MixerSearchError):
    """An earlier study cannot be named so, read, or learnt from."""


@dataclass(frozen=True)
class EarlierStudy:
    """A study that another learns from."""

    storage: str | None
    """Database URL; None for that of the study that learns."""
    name: str

    @classmethod
    def parse(cls, text: str) -> EarlierStudy:
        """From what a user writes.

        Raises:
            StorageError: what stands before the `#` is no database URL.
            WarmStartError: what stands after it is no name of a study.
        """
        storage, _, name = text.rpartition("#")
        try:
            check_name(name)
        except ValueError as error:
            hint = "write STUDY, or URL#STUDY for a study of another database"
            raise WarmStartError(f"{error}; {hint}") from None
        if storage:
            without_password(storage)
        return cls(storage or None, name)

    def __str__(self) -> str:
        """As it may be printed and kept: without a password."""
        return f"{without_password(self.storage)}#{self.name}" if self.storage else self.name
