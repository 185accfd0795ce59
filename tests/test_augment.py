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


def test_mixup_and_cutmix_together_take_turns_each_with_its_own_alpha() -> None:
    """Of a large α every share of mixup is one half; of 1, CutMix may keep all of an image."""
    how = Augmentation(mixup_alpha=1e6, cutmix_alpha=1.0)
    images = jnp.broadcast_to(jnp.arange(64.0)[:, None, None, None], (64, 8, 8, 1))
    mix = jax.jit(lambda key: augment(images, jnp.arange(64), key, how))
    shares: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(60):
        mixed = mix(jax.random.key(seed))
        shares[bool(np.any(np.asarray(mixed.images) % 1))].append(float(mixed.share))
    assert 15 < len(shares[True]) < 45
    assert shares[True] == pytest.approx([0.5] * len(shares[True]), abs=0.01)
    assert max(shares[False]) > 0.97, (
        "of a large α a corner of two pixels a side at least is replaced"
    )


def test_equal_keys_give_equal_images() -> None:
    how = Augmentation(crop_padding=2, flip=True, cutout=2, mixup_alpha=0.4)
    first, again = (augment(numbered(), labels(), KEY, how) for _ in range(2))
    np.testing.assert_array_equal(first.images, again.images)


def test_every_corner_of_a_crop_and_no_other_is_drawn_about_as_often() -> None:
    where = jnp.broadcast_to(jnp.arange(1, 37.0).reshape(6, 6, 1), (2500, 6, 6, 1))
    middle = np.asarray(pad_and_crop(where, KEY, 2))[:, 2, 2, 0]  # of the image, 1 to 36
    seen, counts = np.unique(middle, return_counts=True)
    assert seen.tolist() == [1 + 6 * y + x for y in range(5) for x in range(5)]
    assert 50 < counts.min() < counts.max() < 150


@pytest.mark.parametrize(
    ("side", "blank"),
    [
        (2, [(0, 1), (0, 2), (1, 2), (2, 2), (3, 2), (4, 2)]),
        (3, [(0, 2), (0, 3), (1, 3), (2, 3), (3, 3), (4, 2)]),
    ],
)
def test_cutout_has_its_centre_at_any_pixel_and_overhangs(
    side: int, blank: list[tuple[int, int]]
) -> None:
    """First pixel and number of pixels blanked, row and column each, of six."""
    cut = np.asarray(cutout(jnp.ones((3600, 6, 6, 1)), KEY, side))[..., 0] == 0
    rows, columns = (
        [(int(line.argmax()), int(line.sum())) for line in cut.any(axis)] for axis in (2, 1)
    )
    seen: dict[object, int] = {}
    for place in zip(rows, columns, strict=True):
        seen[place] = seen.get(place, 0) + 1
    assert set(seen) == {(row, column) for row in blank for column in blank}
    assert 50 < min(seen.values()) < max(seen.values()) < 150


def test_the_share_of_mixup_is_symmetric_with_the_variance_of_its_beta() -> None:
    """Beta(α, α) has mean 1/2 and variance 1 / (4 (2 α + 1))."""
    keys = jax.random.split(KEY, 4000)

    @jax.jit
    def shares_of(alpha: jax.Array) -> jax.Array:
        return jax.vmap(lambda key: mixup(numbered(2, 1), labels(2), key, alpha).share)(keys)

    for alpha in (0.2, 1.0, 5.0):
        shares = np.asarray(shares_of(alpha), np.float64)
        assert shares.mean() == pytest.approx(0.5, abs=0.03)
        assert shares.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)


def test_the_rectangle_of_cutmix_has_the_area_of_its_beta_and_its_centre_anywhere() -> None:
    """Beta(α, α) of a large α is 1/2: of 64 x 64 pixels, 45 a side, less what overhangs."""
    white = jnp.concatenate([jnp.ones((1, 64, 64, 1)), jnp.zeros((1, 64, 64, 1))])

    def pasted(key: jax.Array) -> jax.Array:
        mixed = cutmix(white, jnp.arange(2), key, 1e6)
        return jnp.where(mixed.second[0] == mixed.first[0], -1, mixed.images[0, :, :, 0])

    found = np.asarray(jax.jit(jax.vmap(pasted))(jax.random.split(KEY, 800)))
    boxes = found[found[:, 0, 0] >= 0] == 0  # the permutation has a white image and a black one
    rows, columns = boxes.any(2), boxes.any(1)
    for lines in (rows, columns):
        assert {lines.sum(1).min(), lines.sum(1).max()} <= {22, 23, 45, 46}
        # from whatever place the centre has of 64, 23 to the end on either side are overhung
        assert lines[:, 0].mean() == pytest.approx(22.6 / 64, abs=0.08)
        assert lines[:, -1].mean() == pytest.approx(22.6 / 64, abs=0.08)
    whole = boxes[(rows.sum(1) >= 45) & (columns.sum(1) >= 45)]
    assert whole.mean() == pytest.approx(0.5, abs=0.02)
    assert np.corrcoef(rows[:, 0], columns[:, 0])[0, 1] == pytest.approx(0, abs=0.2)


@pytest.mark.parametrize(
    "how",
    [
        Augmentation(crop_padding=2),
        Augmentation(flip=True),
        Augmentation(cutout=3),
        Augmentation(mixup_alpha=1.0),
        Augmentation(cutmix_alpha=1.0),
        Augmentation(rotate=20.0),
        Augmentation(shear=0.3),
        Augmentation(translate=0.2),
    ],
    ids=lambda how: next(iter(how.model_dump(exclude_defaults=True))),
)
def test_each_change_is_made_where_the_recipe_asks_for_it_alone(how: Augmentation) -> None:
    mixed = augment(numbered(), labels(), KEY, how)
    assert not np.array_equal(mixed.images, numbered())
    takes_two = bool(how.mixup_alpha or how.cutmix_alpha)
    assert np.array_equal(mixed.first, mixed.second) != takes_two
    assert (mixed.share == 1) != takes_two
