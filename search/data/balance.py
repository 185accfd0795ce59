"""How the images are distributed over the classes, where that says something about accuracies."""

from __future__ import annotations

import numpy as np

from search.data.split import Labels

_UNEVEN = 2  # times as many images of the most frequent class as of the least
_WARN_FROM = 0.8  # of all training images


def shares_line(
    train_labels: Labels, validation_labels: Labels, class_names: tuple[str, ...]
) -> str | None:
    """The shares of the most and the least frequent class, and what always answering one has.

    None where no class has more than twice the images of another.
    """
    counts = np.bincount(train_labels, minlength=len(class_names))
    most, least = int(counts.argmax()), int(counts.argmin())
    if counts[most] <= _UNEVEN * counts[least]:
        return None
    share, rarest = counts[most] / counts.sum(), counts[least] / counts.sum()
    name = class_names[most]
    images = f"{100 * share:.0f} % of the training images are of class {name!r}"
    answer = f"a network that always answers {name!r} has {np.mean(validation_labels == most):.2f}"
    if share >= _WARN_FROM:
        return f"warning: {images}: {answer}"
    return f"{images}, {100 * rarest:.2g} % of class {class_names[least]!r}: {answer}"
