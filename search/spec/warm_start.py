"""An earlier study as a study's specification names it: `STUDY`, or `URL#STUDY`."""

from __future__ import annotations

import re
from dataclasses import dataclass

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
            WarmStartError: what stands after the `#`, if there is one, is no name of a study.
        """
        storage, _, name = text.rpartition("#")
        try:
            check_name(name)
        except ValueError as error:
            hint = "write STUDY, or URL#STUDY for a study of another database"
            raise WarmStartError(f"{error}; {hint}") from None
        return cls(storage or None, name)

    def __str__(self) -> str:
        """As it may be printed and kept: without a password."""
        if self.storage is None:
            return self.name
        # What trains reads specifications too, and may import no SQL to parse a URL
        url = re.sub(r"(://[^/:@]*):.*@", r"\1:***@", self.storage)
        url = re.sub(r"(password=)[^&]*", r"\1***", url)
        return f"{url}#{self.name}"
