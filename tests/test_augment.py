"""Augmentation: what stays, what changes, and by how much."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from search.spec.recipe import Augmentation
from search.train.augment import augment, cutmix, cutout, flip, mixup, pad_and_crop

KEY = jax.random.key(7)


def numbered(batch: int = 64, size: int = 6) -> jax.Array:
    """Images whose every pixel is a different number, none of them 0."""
    count = batch * size * size * 3
    return jnp.arange(1, count + 1, dtype=jnp.float32).reshape(batch, size, size, 3)


def labels(batch: int = 64) -> jax.Array:
    return jnp.arange(batch) % 10


def test_no_augmentation_leaves_images_and_labels_alone() -> None:
    mixed = augment(numbered(), labels(), KEY, Augmentation())
    np.testing.assert_array_equal(mixed.images, numbered())
    np.testing.assert_array_equal(mixed.first, labels())
    assert mixed.share == 1


def test_a_crop_is_a_window_of_the_padded_image() -> None:
    images, padding = np.asarray(numbered()), 2
    cropped = np.asarray(pad_and_crop(numbered(), KEY, padding))
    padded = np.pad(images, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    corners = set()
    for image, crop in zip(padded, cropped, strict=True):
        found = [
            (y, x)
            for y in range(2 * padding + 1)
            for x in range(2 * padding + 1)
            if np.array_equal(image[y : y + 6, x : x + 6], crop)
        ]
        assert len(found) == 1
        corners.add(found[0])
    assert len(corners) > 10, "corners are drawn an image at a time"
    assert {y for y, _ in corners} == set(range(5)), "both ends of the range are reached"


def test_a_flip_mirrors_about_half_of_the_images() -> None:
    images = numbered(batch=400)
    flipped = flip(images, KEY)
    mirrored = np.all(np.asarray(flipped == images[:, :, ::-1]), axis=(1, 2, 3))
    same = np.all(np.asarray(flipped == images), axis=(1, 2, 3))
    assert np.all(mirrored ^ same)
    assert 150 < mirrored.sum() < 250


def test_cutout_blanks_one_square_an_image_and_nothing_else() -> None:
    side = 3
    cut = np.asarray(cutout(numbered(), KEY, side))
    for before, after in zip(np.asarray(numbered()), cut, strict=True):
        blank = (after == 0).all(axis=-1)
        rows, columns = np.flatnonzero(blank.any(1)), np.flatnonzero(blank.any(0))
        assert blank.sum() == len(rows) * len(columns) <= side * side
        assert max(np.ptp(rows), np.ptp(columns)) < side
        np.testing.assert_array_equal(after[~blank], before[~blank])


def test_mixup_blends_each_image_with_the_one_whose_label_it_gets() -> None:
    images = jnp.broadcast_to(labels()[:, None, None, None].astype(jnp.float32), (64, 4, 4, 1))
    mixed = mixup(images, labels(), KEY, alpha=1.0)
    expected = mixed.share * mixed.first + (1 - mixed.share) * mixed.second
    np.testing.assert_allclose(mixed.images[:, 0, 0, 0], expected, rtol=1e-5)
    assert 0 <= mixed.share <= 1


@pytest.mark.parametrize("seed", range(5))
def test_cutmix_says_the_share_of_pixels_that_stayed(seed: int) -> None:
    images = jnp.broadcast_to(jnp.arange(64.0)[:, None, None, None], (64, 8, 8, 1))
    mixed = cutmix(images, jnp.arange(64), jax.random.key(seed), alpha=1.0)
    stayed = np.asarray(mixed.images == images).mean(axis=(1, 2, 3))
    moved = np.asarray(mixed.second != mixed.first)
    np.testing.assert_allclose(stayed[moved], mixed.share, atol=1e-6)
    pasted = np.asarray(mixed.images[:, :, :, 0])
    partner = np.asarray(mixed.second)[:, None, None]
    assert np.all((pasted == np.asarray(images)[..., 0]) | (pasted == partner))


def test_mixup_and_cutmix_together_take_turns() -> None:
    how = Augmentation(mixup_alpha=1.0, cutmix_alpha=1.0)
    images = jnp.broadcast_to(jnp.arange(64.0)[:, None, None, None], (64, 8, 8, 1))
    blended = []
    for seed in range(20):
        mixed = augment(images, jnp.arange(64), jax.random.key(seed), how)
        blended.append(bool(np.any(np.asarray(mixed.images) % 1)))
    assert {True, False} == set(blended)


def test_equal_keys_give_equal_images() -> None:
    how = Augmentation(crop_padding=2, flip=True, cutout=2, mixup_alpha=0.4)
    first, again = (augment(numbered(), labels(), KEY, how) for _ in range(2))
    np.testing.assert_array_equal(first.images, again.images)
