"""What the statistics of a confirmation cannot be computed from."""

from __future__ import annotations

from space.errors import MixerSearchError


class ConfirmationError(MixerSearchError):
    """Results from which a confirmation cannot be computed: too few seeds, other images, ..."""
