"""What trained networks make of images: one program a configuration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from search.train.device_data import EVAL_BATCH, normalised
from search.train.devices import compute_dtype
from space.build import build
from space.config import Config


def predict(
    config: Config,
    params: Sequence[Any],
    images: npt.NDArray[np.uint8],
    mean: npt.ArrayLike,
    std: npt.ArrayLike,
    device: jax.Device,
    batch_size: int = EVAL_BATCH,
) -> npt.NDArray[np.uint16]:
    """Images through one network with the weights of several trainings, a batch at a time.

    With the batch size of validation, weights that are kept predict of the validation images what
    the last epoch of their training did.

    Args:
        config: the network.
        params: its parameter trees, one a training: see `space.weights_file.params_of`.
        images: uint8 [n, size, size, channels], at least one.
        mean: [channels] of the images they were trained on, in units of a pixel value.
        std: [channels] likewise.
        device: where to compute.
        batch_size: images in one forward pass.

    Returns:
        uint16 [trainings, n], the most probable class.

    Raises:
        jax.errors.JaxRuntimeError: `RESOURCE_EXHAUSTED` where the device has no room.
    """
    trees = jax.device_put(list(params), device)
    moments = _moments(mean, std, device)
    found = []
    for batch, count in _batches(images, batch_size, device):
        classes = jax.device_get(
            [_classes(config, compute_dtype(device), tree, batch, *moments) for tree in trees]
        )
        found.append(np.stack(classes)[:, :count])
    return np.concatenate(found, axis=1)


@partial(jax.jit, static_argnames=("config", "dtype"))
def _classes(
    config: Config, dtype: Any, params: Any, images: jax.Array, mean: jax.Array, std: jax.Array
) -> jax.Array:
    """uint16 [batch]"""
    logits = _logits(config, dtype, params, images, mean, std)
    return jnp.argmax(logits, -1).astype(jnp.uint16)


def logits_of(
    config: Config,
    params: Any,
    images: npt.NDArray[np.uint8],
    mean: npt.ArrayLike,
    std: npt.ArrayLike,
    device: jax.Device,
    batch_size: int = EVAL_BATCH,
) -> npt.NDArray[np.float32]:
    """Images through one network, a batch at a time.

    Args:
        config: the network.
        params: its parameter tree.
        images: uint8 [n, size, size, channels], at least one.
        mean: [channels] of the images it was trained on, in units of a pixel value.
        std: [channels] likewise.
        device: where to compute.
        batch_size: images in one forward pass.

    Returns:
        float32 [n, num_classes].

    Raises:
        jax.errors.JaxRuntimeError: `RESOURCE_EXHAUSTED` where the device has no room.
    """
    tree, moments = jax.device_put(params, device), _moments(mean, std, device)
    return np.concatenate(
        [
            np.asarray(_logits(config, compute_dtype(device), tree, batch, *moments))[:count]
            for batch, count in _batches(images, batch_size, device)
        ]
    )


def _moments(mean: npt.ArrayLike, std: npt.ArrayLike, device: jax.Device) -> tuple[Any, Any]:
    moments: tuple[Any, Any] = jax.device_put(
        (np.asarray(mean, np.float32), np.asarray(std, np.float32)), device
    )
    return moments


def _batches(
    images: npt.NDArray[np.uint8], batch_size: int, device: jax.Device
) -> Iterator[tuple[jax.Array, int]]:
    """Batches of one size on the device, the last filled up with zeros, and how many are real."""
    batch_size = min(batch_size, len(images))
    for start in range(0, len(images), batch_size):
        chosen = images[start : start + batch_size]
        padding = batch_size - len(chosen)
        padded = np.pad(chosen, ((0, padding), (0, 0), (0, 0), (0, 0)))
        yield jax.device_put(padded, device), len(chosen)


@partial(jax.jit, static_argnames=("config", "dtype"))
def _logits(
    config: Config, dtype: Any, params: Any, images: jax.Array, mean: jax.Array, std: jax.Array
) -> jax.Array:
    """float32 [batch, num_classes]"""
    network: Any = build(config, dtype)
    logits: jax.Array = network.apply({"params": params}, normalised(images, mean, std))
    return logits
