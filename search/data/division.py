"""Which images of the train split are trained on, and which validate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from search.data.errors import DataError
from search.data.split import Labels
from search.spec.studies import Division

Indices = npt.NDArray[np.int64]


def divide(
    labels: Labels,
    validation_fraction: float,
    split_seed: int,
    train_limit: int | None,
    split: Division,
) -> tuple[Indices, Indices]:
    """The indices of the training and of the validation images, both in shuffled order.

    Raises:
        DataError: nothing to train or to validate on, or, where it is stratified, no image of
            some class to train on.
    """
    if not 0 < validation_fraction < 1:
        raise DataError(
            f"validation_fraction={validation_fraction} is no part of the train split; "
            "choose one between 0 and 1"
        )
    num_images = len(labels)
    num_validation = round(validation_fraction * num_images)
    num_train = num_images - num_validation
    if num_validation < 1 or num_train < 1:
        raise DataError(
            f"validation_fraction={validation_fraction} leaves {num_train} of {num_images} images "
            f"for training and {num_validation} for validation; choose another"
        )
    _check(num_train, split_seed, train_limit)
    rng = np.random.default_rng(split_seed)
    order = rng.permutation(num_images)
    if split == "random":
        return order[num_validation:][:train_limit], order[:num_validation]
    counts = np.bincount(labels)
    if num_validation > np.maximum(counts - 1, 0).sum():
        raise DataError(
            f"validation_fraction={validation_fraction} of {num_images:,} images in "
            f"{np.count_nonzero(counts)} classes leaves some class no image to train on; "
            'choose a smaller one, or split = "random"'
        )
    shuffled = labels[order]
    by_class = np.argsort(shuffled, kind="stable")  # places in `order`, class after class
    starts = np.cumsum(counts) - counts
    validates = np.zeros(num_images, bool)
    for start, share in zip(starts, _shares(counts, num_validation, rng), strict=True):
        validates[by_class[start : start + share]] = True
    return order[~validates][:train_limit], order[validates]


def shuffled(num_images: int, split_seed: int, train_limit: int | None) -> Indices:
    """The indices of the training images where others validate, in shuffled order.

    Raises:
        DataError: a limit or a seed that cannot be.
    """
    _check(num_images, split_seed, train_limit)
    return np.random.default_rng(split_seed).permutation(num_images)[:train_limit]


def _check(num_train: int, split_seed: int, train_limit: int | None) -> None:
    if split_seed < 0:
        raise DataError(f"split_seed={split_seed} is negative; choose 0 or more")
    if train_limit is not None and not 1 <= train_limit <= num_train:
        raise DataError(
            f"train_limit={train_limit}: there are {num_train:,} training images; "
            f"give --train-limit 1 to {num_train}, or leave it out"
        )


def _shares(counts: Indices, num_validation: int, rng: np.random.Generator) -> Indices:
    """How many images of each class validate: by the largest remainders, ties by chance.

    In whole numbers, so that every machine says the same. A class keeps one image at least.
    """
    shares, remainders = np.divmod(counts * num_validation, counts.sum())
    order = rng.permutation(len(counts))
    order = order[np.argsort(-remainders[order], kind="stable")]
    while (missing := num_validation - int(shares.sum())) > 0:
        open_ = order[shares[order] < counts[order] - 1]
        shares[open_[:missing]] += 1
    return shares
