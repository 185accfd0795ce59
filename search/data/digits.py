"""The digits that come with scikit-learn: a data set that is always there."""

from __future__ import annotations

import numpy as np

from search.data.split import Split
from space.config import ImageTask

TASK = ImageTask(image_size=8, image_channels=1, num_classes=10)

_TEST_FRACTION = 0.2
_TEST_SEED = 0  # never changes: the test images must stay the same for ever


def read_digits(split: str) -> Split:
    """The `train` (1,438) or `test` (359) digits; grey values 0 to 16 become 0 to 255."""
    from sklearn.datasets import load_digits  # takes a second to import

    images, labels = load_digits(return_X_y=True)
    images = np.round(images.reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)
    order = np.random.default_rng(_TEST_SEED).permutation(len(labels))
    num_test = round(_TEST_FRACTION * len(labels))
    chosen = {"test": order[:num_test], "train": order[num_test:]}[split]
    class_names = tuple(map(str, range(TASK.num_classes)))
    return Split(TASK, images[chosen], labels[chosen].astype(np.int32), class_names)
