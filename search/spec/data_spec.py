"""How the images of a study are read: the table `[data]` of a study file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from space.config import Frozen

Resize = Literal["crop", "squash", "pad"]
"""What becomes of an image that is not `image_size` pixels a side; see `search.data.resize`."""

Validation = Literal["own", "split"]
"""Validation images: the data set's own, or a part of its train split."""


class DataSpec(Frozen):
    """How the images of a data set become what a network sees."""

    image_size: Annotated[int, Field(gt=0, le=4096)] | None = None
    """Pixels a side that images are converted to; None: they have one size and are square."""
    resize: Resize = "crop"
    label: Annotated[str, Field(min_length=1)] | None = None
    """The class label, where a TFDS data set has several; None: the one it is supervised by."""
    validation: Validation | None = None
    """None: as the study began, a new one `own` where the data set has validation images."""
    skip_broken: bool = False
    """Whether files of a folder that cannot be read are left out and counted, or refused."""


AS_THEY_ARE = DataSpec()
"""Nothing converted, nothing chosen."""
