"""Images of any size as squares: against plain Pillow, and against what must hold."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import noise
from PIL import Image

from search.data.resize import resize_all, resized
from search.spec.data_spec import DataSpec, Resize

MODES = get_args(Resize)


def by_pillow(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Rows and columns as asked for, in Pillow's own words."""
    image = Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels)
    scaled = np.asarray(image.resize(size[::-1], Image.Resampling.BICUBIC))
    return scaled.reshape(*size, pixels.shape[-1])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("rows", "columns"), [(48, 64), (64, 48), (12, 18), (24, 24), (48, 48)])
def test_crop_scales_the_short_side_and_keeps_the_middle(
    rows: int, columns: int, channels: int
) -> None:
    """Sizes that scale to whole numbers, for which scaling and cropping are two steps."""
    pixels = noise(rows, columns, channels)
    scale = 24 / min(rows, columns)
    scaled = by_pillow(pixels, (int(rows * scale), int(columns * scale)))
    top, left = (scaled.shape[0] - 24) // 2, (scaled.shape[1] - 24) // 2
    expected = scaled[top : top + 24, left : left + 24]
    np.testing.assert_array_equal(resized(pixels, 24, "crop"), expected, strict=True)


@pytest.mark.parametrize("channels", [1, 3])
def test_squash_scales_each_side_for_itself(channels: int) -> None:
    pixels = noise(50, 31, channels)
    np.testing.assert_array_equal(
        resized(pixels, 24, "squash"), by_pillow(pixels, (24, 24)), strict=True
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("rows", "columns"), [(48, 34), (33, 48), (7, 12), (1, 1000)])
def test_pad_scales_the_long_side_and_fills_up_with_black(
    rows: int, columns: int, channels: int
) -> None:
    pixels = noise(rows, columns, channels)
    scale = 24 / max(rows, columns)
    height, width = max(1, round(rows * scale)), max(1, round(columns * scale))
    before = ((24 - height) // 2, (24 - width) // 2)
    after = (24 - height - before[0], 24 - width - before[1])
    frame = ((before[0], after[0]), (before[1], after[1]), (0, 0))
    expected = np.pad(by_pillow(pixels, (height, width)), frame)
    np.testing.assert_array_equal(resized(pixels, 24, "pad"), expected, strict=True)


@given(
    rows=st.integers(1, 40),
    columns=st.integers(1, 40),
    size=st.integers(1, 40),
    channels=st.sampled_from([1, 3]),
    mode=st.sampled_from(MODES),
    grey=st.integers(0, 255),
)
def test_a_flat_image_stays_flat_whatever_its_sides(
    rows: int, columns: int, size: int, channels: int, mode: Resize, grey: int
) -> None:
    square = resized(np.full((rows, columns, channels), grey, np.uint8), size, mode)
    assert (square.shape, square.dtype) == ((size, size, channels), np.uint8)
    assert set(np.unique(square)) <= ({grey, 0} if mode == "pad" else {grey})
    assert square[size // 2, size // 2].tolist() == [grey] * channels or mode == "pad"


@pytest.mark.parametrize("mode", MODES)
def test_an_image_of_the_size_is_left_as_it_is(mode: Resize) -> None:
    pixels = noise(24, 24)
    assert resized(pixels, 24, mode) is pixels


@pytest.mark.parametrize("mode", MODES)
def test_stripes_finer_than_the_pixels_become_grey_and_not_stripes(mode: Resize) -> None:
    """Antialiased: taking every fourth pixel would give black or white."""
    stripes = np.zeros((96, 96, 1), np.uint8)
    stripes[:, ::2] = 255
    middle = resized(stripes, 24, mode)[2:-2, 2:-2].astype(int)
    assert np.all(abs(middle - 127) < 10)


def test_all_images_of_a_split_are_converted_and_counted() -> None:
    images = np.stack([noise(10, 12, seed=seed) for seed in range(3)])
    squares, notes = resize_all(images, "train", DataSpec(image_size=6, resize="pad"))
    np.testing.assert_array_equal(squares[2], resized(images[2], 6, "pad"))
    assert notes == ("3 of 3 train images are converted to 6 x 6 pixels (resize = 'pad')",)
    assert resize_all(images, "train", DataSpec()) == (images, ())
