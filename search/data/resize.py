"""Images of any size as squares of `image_size` pixels a side."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from search.data.split import Images
from search.spec.data_spec import DataSpec, Resize

_FILTER = Image.Resampling.BICUBIC  # Pillow widens it when it scales down: antialiased

Pixels = npt.NDArray[np.uint8]  # rows, columns, channels


def resized(pixels: Pixels, image_size: int, resize: Resize) -> Pixels:
    """The image as uint8 [image_size, image_size, channels]; one of that size as it is.

    `crop` scales the short side to `image_size` and keeps the middle of the long one; `squash`
    scales each side for itself; `pad` scales the long side and fills up with black on both sides
    of the short one, the odd row or column at the end. All of them with Pillow's bicubic filter,
    which is antialiased, on the pixels of 8 bits.
    """
    rows, columns, channels = pixels.shape
    if rows == columns == image_size:
        return pixels
    image = Image.fromarray(pixels.squeeze(-1) if channels == 1 else pixels)
    square = (image_size, image_size)
    match resize:
        case "squash":
            image = image.resize(square, _FILTER)
        case "crop":
            side = min(rows, columns)
            left, top = (columns - side) / 2, (rows - side) / 2
            image = image.resize(square, _FILTER, box=(left, top, left + side, top + side))
        case "pad":
            scale = image_size / max(rows, columns)
            width, height = (max(1, round(side * scale)) for side in (columns, rows))
            black = Image.new(image.mode, square)
            black.paste(
                image.resize((width, height), _FILTER),
                ((image_size - width) // 2, (image_size - height) // 2),
            )
            image = black
    return np.asarray(image).reshape(image_size, image_size, channels)


def resize_all(images: Images, split: str, options: DataSpec) -> tuple[Images, tuple[str, ...]]:
    """The images of a split as `options` want them, and a note where that changed them."""
    size = options.image_size
    if size is None or images.shape[1:3] == (size, size):
        return images, ()
    squares = np.empty((len(images), size, size, images.shape[3]), np.uint8)
    for index, pixels in enumerate(images):
        squares[index] = resized(pixels, size, options.resize)
    return squares, resize_notes(len(images), len(images), split, options)


def resize_notes(
    num_resized: int, num_images: int, split: str, options: DataSpec
) -> tuple[str, ...]:
    """The line that counts what was converted; none where nothing was."""
    if not num_resized:
        return ()
    return (
        f"{num_resized:,} of {num_images:,} {split} images are converted to "
        f"{options.image_size} x {options.image_size} pixels (resize = {options.resize!r})",
    )
