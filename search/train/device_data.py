"""A data set on the device: uint8 images, moved once, an argument of every program."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from search.data import ImageData
from search.protocol import StartWeights

EVAL_BATCH = 500
"""Validation images in one forward pass."""


class DeviceData(NamedTuple):
    """What an epoch reads. Validation is padded to whole batches; padding has label -1."""

    train_images: jax.Array
    """uint8 [n, size, size, channels]"""
    train_labels: jax.Array
    """int32 [n]"""
    validation_images: jax.Array
    """uint8 [batches, batch, size, size, channels]"""
    validation_labels: jax.Array
    """int32 [batches, batch]"""
    mean: jax.Array
    """float32 [channels], of the training images, in units of a pixel value; of those that given
    weights were trained on, where trainings start from such"""
    std: jax.Array
    """float32 [channels]"""

    @property
    def num_train(self) -> int:
        """How many training images there are."""
        return int(self.train_labels.shape[0])

    def normalise(self, images: jax.Array) -> jax.Array:
        """uint8 pixels to float32 of mean 0 and standard deviation 1 a channel."""
        return normalised(images, self.mean, self.std)


def normalised(images: jax.Array, mean: jax.Array, std: jax.Array) -> jax.Array:
    """uint8 pixels [..., size, size, channels] to float32, by mean and deviation a channel."""
    mean, std = (value[None, None, None] for value in (mean, std))
    return (images.astype(jnp.float32) - mean) / std


def put(data: ImageData, device: jax.Device, start: StartWeights | None = None) -> DeviceData:
    """Moves a data set to the device and measures its mean and standard deviation.

    Not those of images that are shown to weights trained before: these go on to see pixels as they
    did.
    """
    mean, std = (start.pixel_mean, start.pixel_std) if start else _moments(data)
    count = len(data.validation_labels)
    batch = min(EVAL_BATCH, count)
    padding = -count % batch
    images = np.pad(data.validation_images, ((0, padding), (0, 0), (0, 0), (0, 0)))
    labels = np.pad(data.validation_labels.astype(np.int32), (0, padding), constant_values=-1)
    return DeviceData(
        train_images=jax.device_put(data.train_images, device),
        train_labels=jax.device_put(data.train_labels.astype(np.int32), device),
        validation_images=jax.device_put(images.reshape(-1, batch, *images.shape[1:]), device),
        validation_labels=jax.device_put(labels.reshape(-1, batch), device),
        mean=jax.device_put(np.asarray(mean, np.float32), device),
        std=jax.device_put(np.asarray(std, np.float32), device),
    )


def _moments(data: ImageData) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and standard deviation of the training pixels, a channel; the latter at least 1."""
    pixels = data.train_images.reshape(-1, data.task.image_channels)
    std = pixels.std(axis=0, dtype=np.float64)
    return pixels.mean(axis=0, dtype=np.float64), np.maximum(std, 1.0)
