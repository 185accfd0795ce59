"""What can go wrong between the name of a data set and its arrays."""

from __future__ import annotations

from space.errors import MixerSearchError


class DataError(MixerSearchError):
    """A data set cannot be found, prepared, read, divided, or shown to an image classifier."""


class NoTestError(DataError):
    """A data set has no test split."""
