"""The digits that come with scikit-learn: a data set that is always there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from search.data.decoding import DECODER
from search.data.errors import DataError
from search.data.resize import resize_all
from search.data.source import Request, refuse_label
from search.data.split import Split
from space.config import ImageTask

TASK = ImageTask(image_size=8, image_channels=1, num_classes=10)

_TEST_FRACTION = 0.2
_TEST_SEED = 0  # never changes: the test images must stay the same for ever
_COUNTS = {"train": 1438, "test": 359}


class DigitsSource:
    """`digits`: 8 x 8 grey values."""

    version = None

    def __init__(self, request: Request) -> None:
        if request.dataset != "digits":
            raise DataError(f"{request.dataset}: the digits have no versions; write digits")
        refuse_label(request)
        self._options = request.options
        self.decoder = DECODER if request.options.image_size else None

    def counts(self) -> dict[str, int]:
        """Known without scikit-learn."""
        return _COUNTS

    def task(self) -> ImageTask:
        """Known without scikit-learn."""
        size = self._options.image_size or TASK.image_size
        return TASK.model_copy(update={"image_size": size})

    def read(self, split: str) -> Split:
        """The `train` or `test` digits, converted where a size is asked for."""
        digits = read_digits(split)
        images, notes = resize_all(digits.images, split, self._options)
        return replace(digits, task=self.task(), images=images, notes=notes)


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
