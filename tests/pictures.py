"""Test support: folders of images, drawn or real."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Pixels = np.ndarray[Any, Any]


def noise(rows: int, columns: int, channels: int = 3, seed: int = 0) -> Pixels:
    """An image no other seed has."""
    shape = (rows, columns, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def save(path: Path, pixels: Pixels) -> Path:
    """The image as a file, in the format its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(path)
    return path


def png(pixels: Pixels) -> bytes:
    """The image as a file's bytes."""
    buffer = io.BytesIO()
    Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(buffer, "PNG")
    return buffer.getvalue()


def write_folder(root: Path, images: Mapping[str, Pixels]) -> Path:
    """A folder of images by their paths in it."""
    for name, pixels in images.items():
        save(root / name, pixels)
    return root


def draw_classes(
    root: Path, classes: str | list[str], number: int = 4, size: int = 8, channels: int = 3
) -> Path:
    """So many images in a folder for each class."""
    for label, name in enumerate(classes):
        for index in range(number):
            pixels = noise(size, size, channels, seed=label * number + index)
            save(root / name / f"{index:03d}.png", pixels)
    return root


def write_by_class(
    root: Path, images: Pixels, labels: Pixels, class_names: tuple[str, ...]
) -> Path:
    """Images as files, `CLASS/NUMBER.png`."""
    for index, (pixels, label) in enumerate(zip(images, labels, strict=True)):
        save(root / class_names[label] / f"{index:05d}.png", pixels)
    return root
