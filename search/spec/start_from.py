"""Weights that all trainings of a study start from, as its specification names them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from space.config import Frozen


class StartFrom(Frozen):
    """Weights that all trainings of a study start from, in the place of drawn ones."""

    preset: str
    """The name of the preset whose weights they are."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """Of its file of weights."""
    image_size: PositiveInt
    """Pixels a side of the images that its network takes."""
    tokens: Literal["strided", "tiles"] | None = None
    """How it is expanded to more tokens; None: it keeps its tokens."""
