"""Rotation, shear and translation, held against a loop over pixels."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from search.spec.recipe import Augmentation
from search.train.affine import draw_transformations, transform, vary_place
from search.train.augment import AFFINE, augment

KEY = jax.random.key(3)
EVERYTHING = Augmentation(rotate=30, shear=0.3, translate=0.2)


def numbered(batch: int = 24, size: int = 8, channels: int = 3) -> np.ndarray:
    """Images whose every pixel is a different number, none of them 0."""
    count = batch * size * size * channels
    return np.arange(1, count + 1, dtype=np.float32).reshape(batch, size, size, channels)


@pytest.mark.parametrize(("size", "channels"), [(8, 3), (7, 1)])
def test_every_pixel_is_the_one_that_a_loop_reads(size: int, channels: int) -> None:
    """But for places within a thousandth of the border between two pixels."""
    images = numbered(size=size, channels=channels)
    matrices, shifts = draw_transformations(KEY, len(images), EVERYTHING)
    got = np.asarray(vary_place(jnp.asarray(images), KEY, EVERYTHING))
    centre, compared, outside = (size - 1) / 2, 0, 0
    for i, image in enumerate(images):
        m = np.asarray(matrices[i], np.float64)
        shift = size * np.asarray(shifts[i], np.float64)
        for row in range(size):
            for column in range(size):
                y, x = m @ (row - centre, column - centre) + shift + centre
                if min(abs(place - math.floor(place) - 0.5) for place in (y, x)) < 1e-3:
                    continue
                compared += 1
                near_y, near_x = round(y), round(x)
                if 0 <= near_y < size and 0 <= near_x < size:
                    np.testing.assert_array_equal(got[i, row, column], image[near_y, near_x])
                else:
                    outside += 1
                    assert not got[i, row, column].any()
    assert compared > 0.98 * images.size / channels
    assert 0.05 < outside / compared < 0.4


def test_quarter_turns_and_whole_shifts_are_exact() -> None:
    images = numbered()
    turn = jnp.broadcast_to(jnp.array([[0.0, 1.0], [-1.0, 0.0]]), (len(images), 2, 2))
    nowhere = jnp.zeros((len(images), 2))
    turned = transform(jnp.asarray(images), turn, nowhere)
    np.testing.assert_array_equal(turned, np.rot90(images, axes=(1, 2)))
    still = jnp.broadcast_to(jnp.eye(2), (len(images), 2, 2))
    moved = np.asarray(transform(jnp.asarray(images), still, nowhere + jnp.array([[2.0, -1.0]])))
    np.testing.assert_array_equal(moved[:, :-2, 1:], images[:, 2:, :-1])
    assert not moved[:, -2:].any()
    assert not moved[:, :, 0].any()


@pytest.mark.parametrize("size", [7, 32])
def test_no_rotation_no_shear_and_no_shift_change_nothing(size: int) -> None:
    images = numbered(batch=4, size=size)
    np.testing.assert_array_equal(vary_place(jnp.asarray(images), KEY, Augmentation()), images)


@pytest.mark.parametrize(
    "how",
    [Augmentation(rotate=40), Augmentation(shear=0.4), Augmentation(translate=0.4)],
    ids=lambda how: next(iter(how.model_dump(exclude_defaults=True))),
)
def test_each_is_uniform_to_both_sides_up_to_what_was_asked(how: Augmentation) -> None:
    matrices, shifts = (np.asarray(x) for x in draw_transformations(KEY, 4000, how))
    angles = np.rad2deg(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    if how.rotate:
        np.testing.assert_allclose(np.linalg.det(matrices), 1, atol=1e-5)
        np.testing.assert_allclose(matrices[:, 0, 0], matrices[:, 1, 1], atol=1e-6)
        drawn, most = angles[:, None], how.rotate
    elif how.shear:
        np.testing.assert_array_equal(matrices[:, [0, 1], [0, 1]], 1)
        drawn, most = matrices[:, [0, 1], [1, 0]], how.shear
    else:
        np.testing.assert_array_equal(matrices, np.broadcast_to(np.eye(2), (4000, 2, 2)))
        drawn, most = shifts, how.translate
    assert (shifts != 0).any() == bool(how.translate)
    for column in drawn.T:
        assert np.abs(column).max() == pytest.approx(most, rel=0.01)
        assert np.abs(column).max() <= most * (1 + 1e-6)
        quarters = np.histogram(column, bins=4, range=(-most, most))[0]
        assert 850 < quarters.min() <= quarters.max() < 1150
    if drawn.shape[1] == 2:
        assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.06


def test_the_matrix_of_all_is_that_of_the_rotation_times_that_of_the_shear() -> None:
    rotation, shear, both = (
        np.asarray(draw_transformations(KEY, 5, how)[0])
        for how in (Augmentation(rotate=30), Augmentation(shear=0.3), EVERYTHING)
    )
    np.testing.assert_allclose(both, rotation @ shear, atol=1e-6)
    assert not np.allclose(both, shear @ rotation, atol=1e-3)


def test_equal_keys_give_equal_images_and_others_others() -> None:
    images, labels = jnp.asarray(numbered()), jnp.arange(24)
    one, again, other = (
        augment(images, labels, key, EVERYTHING).images for key in (KEY, KEY, jax.random.key(4))
    )
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_its_key_is_none_of_those_that_the_other_changes_have() -> None:
    others = jax.random.key_data(jax.random.split(KEY, 4)).tolist()
    assert jax.random.key_data(jax.random.fold_in(KEY, 3)).tolist() == others[3], "why AFFINE is 4"
    assert jax.random.key_data(jax.random.fold_in(KEY, AFFINE)).tolist() not in others
