"""What a training predicts of a split, as it is stored: see `runs.record.ImageResults`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from runs.record import ImageResults


def image_results_of(
    trial: int,
    classes: npt.NDArray[np.uint16],
    *,
    split: str,
    labels: npt.NDArray[np.integer],
    keeps_classes: bool = False,
) -> ImageResults:
    """Which images of a split a training predicts right.

    Args:
        trial: its number in its study.
        classes: uint16 [n], predicted.
        split: `validation` or `test`.
        labels: [n], of the same images.
        keeps_classes: whether the predicted classes are stored too.
    """
    return ImageResults(
        trial=trial,
        split=split,
        num_images=len(labels),
        right=np.packbits(classes == labels).tobytes(),
        classes=classes.astype("<u2").tobytes() if keeps_classes else None,
    )
