"""One split of a data set as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from space.config import ImageTask

Images = npt.NDArray[np.uint8]  # images, rows, columns, channels
Labels = npt.NDArray[np.int32]  # images


@dataclass(frozen=True, eq=False)
class Split:
    """Images uint8 [n, image_size, image_size, image_channels] with labels int32 [n] in [0, K)."""

    task: ImageTask
    images: Images
    labels: Labels
    class_names: tuple[str, ...]
    """By label; numbers where the data set has no names."""
    num_unlabelled: int = 0
    """Images that were left out, since their class is not known."""
    notes: tuple[str, ...] = ()
    """What was done to the images, a line each: kept with them and said every time."""
