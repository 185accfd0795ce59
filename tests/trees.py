"""Parameter trees as tables of shapes; nothing is computed."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict

from space.build import build
from space.config import Config


def image_like(config: Config) -> jax.ShapeDtypeStruct:
    """What stands for a batch of one image."""
    size = config.image_size
    return jax.ShapeDtypeStruct((1, size, size, config.image_channels), jnp.float32)


def shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """Path in the module's own parameter tree to shape."""
    tree = jax.eval_shape(build(config).init, jax.random.key(0), image_like(config))["params"]
    return {path: leaf.shape for path, leaf in flatten_dict(tree, sep="/").items()}
