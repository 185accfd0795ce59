"""What a network has learnt, as images, from weights that were made for it."""

from __future__ import annotations

import numpy as np
import pytest
from records import CIFAR, mixer, vit

from runs.learnt import MAX_TILES, frequencies, learnt, positions, stem, token_mixing


def wave(cycles: int, grid: int = 8) -> np.ndarray:
    """A cosine along the rows of a grid of patches."""
    along = np.cos(2 * np.pi * cycles * np.arange(grid) / grid)
    return np.broadcast_to(along[:, None], (grid, grid)).astype(np.float32)


def test_a_hidden_unit_is_its_weights_where_its_patches_lie() -> None:
    """The kernel is [patches, units], patches in reading order."""
    kernel = np.zeros((16, 3), np.float32)
    kernel[6, 1] = 2.0  # the patch in row 1, column 2
    shown = token_mixing(kernel, 4)
    [place] = np.argwhere(shown.numbers == 1).ravel()
    assert shown.images[place][1, 2] == 2
    assert np.count_nonzero(shown.images) == 1


def test_units_are_sorted_by_frequency() -> None:
    cycles = [3, 0, 2, 1]
    kernel = np.stack([wave(one).ravel() for one in cycles], axis=1)
    assert list(token_mixing(kernel, 8).numbers) == [1, 3, 2, 0]
    found = frequencies(np.stack([wave(one) for one in cycles]))
    assert found == pytest.approx([3, 0, 2, 1], abs=1e-6)


def test_of_many_units_the_strongest_are_shown() -> None:
    kernel = np.ones((16, 200), np.float32)
    kernel[:, 77:] *= 3
    shown = token_mixing(kernel, 4)
    assert (len(shown.images), shown.whole) == (MAX_TILES, 200)
    assert shown.numbers.min() == 77


def test_one_stray_weight_does_not_set_the_scale() -> None:
    kernel = np.random.default_rng(0).normal(size=(64, 32)).astype(np.float32)
    kernel[0, 0] = 1_000
    assert token_mixing(kernel, 8).span < 5


def test_weights_that_are_all_zero_have_a_scale() -> None:
    assert token_mixing(np.zeros((16, 4), np.float32), 4).span == 1


def test_filters_of_colour_images_are_coloured_and_others_are_not() -> None:
    assert stem(np.zeros((4, 4, 3, 8), np.float32)).images.shape == (8, 4, 4, 3)
    assert stem(np.zeros((2, 2, 1, 8), np.float32)).images.shape == (8, 2, 2)


def test_a_position_is_most_like_itself() -> None:
    table = np.random.default_rng(0).normal(size=(1, 17, 12)).astype(np.float32)
    shown = positions(table, 4)  # the first token is the class's
    assert shown.images.shape == (16, 4, 4)
    for patch, image in zip(shown.numbers, shown.images, strict=True):
        assert image.ravel()[patch] == pytest.approx(1, abs=1e-6)
        assert image.argmax() == patch
    expected = np.dot(table[0, 1], table[0, 2])
    expected /= np.linalg.norm(table[0, 1]) * np.linalg.norm(table[0, 2])
    assert shown.images[0][0, 1] == pytest.approx(expected, abs=1e-6)


def test_of_a_fine_grid_patches_at_even_distances_stand_for_all() -> None:
    shown = positions(np.ones((1, 32 * 32, 4), np.float32), 32)
    assert shown.images.shape == (MAX_TILES, 32, 32)
    assert (shown.numbers[0], shown.numbers[-1]) == (0, 32 * 32 - 1)


def test_a_mixer_shows_its_stem_and_the_first_blocks() -> None:
    config = mixer(CIFAR, patch_size=8, hidden_dim=12, num_blocks=5, tokens_mlp_dim=8)
    arrays = {"params/stem/kernel": np.ones((8, 8, 3, 12), np.float32)} | {
        f"params/MixerBlock_{i}/token_mixing/Dense_0/kernel": np.ones((16, 8), np.float32)
        for i in range(5)
    }
    found = learnt(config, arrays)
    assert [one.title for one in found.token_mixing] == ["Block 1", "Block 2", "Block 3"]
    assert found.stem is not None
    assert found.positions is None


def test_what_is_not_in_the_weights_is_not_shown() -> None:
    found = learnt(vit(CIFAR), {"params/head/kernel": np.ones((12, 10), np.float32)})
    assert (found.token_mixing, found.stem, found.positions) == ((), None, None)
