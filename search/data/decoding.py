"""Encoded images as pixels: by one decoder, and by what the bytes are."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

DECODER = f"Pillow {version('pillow')}"
"""What decodes here: another version may round the pixels of a JPEG otherwise."""

_TO_RGB = {  # modes of Pillow, and the conversions after which they are RGB; alpha is dropped
    "RGB": (),
    "RGBA": ("RGB",),
    "CMYK": ("RGB",),
    "P": ("RGBA", "RGB"),  # a palette may hold alphas; straight to RGB, Pillow warns of them
    "PA": ("RGBA", "RGB"),
}
_TO_GREY = {"L": (), "LA": ("L",), "1": ("L",)}  # 2 and 4 bits are L already; 1 bit: 0 and 255
_SIXTEEN_BITS = {"I;16", "I;16B", "I;16L"}


def decode(encoded: bytes, shape: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    """The pixels uint8 [rows, columns, channels] of an encoded image, 1 or 3 channels.

    As TensorFlow decodes to uint8: of 16 bits the high byte, fewer than 8 stretched to 0..255, a
    palette looked up, alpha dropped (not blended with a background), grey repeated for three
    channels; for one channel, colours weighed as ITU-R BT.601 does (0.299 R + 0.587 G + 0.114 B).

    Raises:
        ValueError: not an image, a damaged one, one of another size or of several frames, or of a
            mode that has no such meaning (32-bit integers, floats, L*a*b*).
    """
    rows, columns, channels = shape
    image = _opened(io.BytesIO(encoded))
    if image.size != (columns, rows):  # its pixels may take any memory
        raise ValueError(f"an image of shape {(image.height, image.width, channels)}, not {shape}")
    return _pixels(_loaded(image), channels)


def decode_any(encoded: bytes, channels: int, *, upright: bool = False) -> npt.NDArray[np.uint8]:
    """As `decode`, of an image of any size.

    Args:
        encoded: the bytes of a file.
        channels: 1 or 3.
        upright: whether the image is turned as its EXIF data say, as viewers do; TensorFlow does
            not.

    Raises:
        ValueError: as `decode`.
    """
    image = _loaded(_opened(io.BytesIO(encoded)))
    if upright:
        try:
            image = ImageOps.exif_transpose(image)
        except Exception as error:  # whatever the parser makes of damaged EXIF data
            raise ValueError(f"damaged EXIF data: {error}") from error
    return _pixels(image, channels)


def look(path: Path) -> tuple[int, int, int]:
    """Rows, columns and channels (1 or 3) of an image file, from its header alone.

    The rows and columns are those of the file, whatever its EXIF data say.

    Raises:
        ValueError: not an image, or of a mode that `decode` does not know.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        image = _opened(file)
    if image.mode in _TO_RGB:
        return image.height, image.width, 3
    if image.mode in _TO_GREY or image.mode in _SIXTEEN_BITS:
        return image.height, image.width, 1
    raise ValueError(_unknown_mode(image))


@contextmanager
def refusing_huge_images() -> Iterator[None]:
    """Images of more pixels than Pillow trusts (89 million) are damaged ones here, in all threads.

    Else Pillow would warn of them and decode them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _opened(file: IO[bytes]) -> Image.Image:
    """The image, of which only the header was read."""
    try:
        return Image.open(file)
    except UnidentifiedImageError as error:
        raise ValueError("not an image that Pillow knows") from error
    except Exception as error:  # whatever the parser of a format makes of damaged bytes
        raise ValueError(str(error) or type(error).__name__) from error


def _loaded(image: Image.Image) -> Image.Image:
    try:
        image.load()
        frames = getattr(image, "n_frames", 1)
    except Exception as error:  # whatever the decoder of a format makes of damaged bytes
        raise ValueError(str(error) or type(error).__name__) from error
    if frames > 1 and image.format != "MPO":  # a JPEG with a preview, which is its second frame
        raise ValueError(f"an image of {frames} frames, not of one")
    return image


def _pixels(image: Image.Image, channels: int) -> npt.NDArray[np.uint8]:
    if image.mode in _TO_RGB:
        pixels = np.asarray(_converted(image, _TO_RGB[image.mode] + ("L",) * (channels == 1)))
        return pixels.reshape(*pixels.shape[:2], channels)
    if image.mode in _TO_GREY:
        grey = np.asarray(_converted(image, _TO_GREY[image.mode]))
    elif image.mode in _SIXTEEN_BITS:
        grey = (np.asarray(image) >> 8).astype(np.uint8)
    else:
        raise ValueError(_unknown_mode(image))
    return np.repeat(grey[:, :, None], channels, axis=2)


def _converted(image: Image.Image, modes: tuple[str, ...]) -> Image.Image:
    for mode in modes:
        image = image.convert(mode)
    return image


def _unknown_mode(image: Image.Image) -> str:
    return f"an image of mode {image.mode}, neither grey nor colours of 8 or 16 bits"
