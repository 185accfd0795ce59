"""Formats in which a trained network leaves: one module each, which writes it and proves it."""

from __future__ import annotations

from collections.abc import Callable

from search.formats.proof import Proof

FORMATS: dict[str, Callable[..., Proof]] = {}
"""By name, the function that writes it into a folder and proves it:
`write(preset, params, folder, images, logits)`."""
