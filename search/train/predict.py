"""The classes that trained networks predict of images: one program a configuration."""

from __future__ import annotations

from collections.abc import Sequence
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
    batch_size = min(batch_size, len(images))
    trees = jax.device_put(list(params), device)
    moments = jax.device_put((np.asarray(mean, np.float32), np.asarray(std, np.float32)), device)
    found = []
    for start in range(0, len(images), batch_size):
        chosen = images[start : start + batch_size]
        padding = batch_size - len(chosen)
        batch = jax.device_put(np.pad(chosen, ((0, padding), (0, 0), (0, 0), (0, 0))), device)
        classes = jax.device_get(
            [_classes(config, compute_dtype(device), tree, batch, *moments) for tree in trees]
        )
        found.append(np.stack(classes)[:, : len(chosen)])
    return np.concatenate(found, axis=1)


@partial(jax.jit, static_argnames=("config", "dtype"))
def _classes(
    config: Config, dtype: Any, params: Any, images: jax.Array, mean: jax.Array, std: jax.Array
) -> jax.Array:
    """uint16 [batch]"""
    network: Any = build(config, dtype)
    logits = network.apply({"params": params}, normalised(images, mean, std))
    return jnp.argmax(logits, -1).astype(jnp.uint16)
