"""The weights a network starts from, drawn with NumPy: nothing to compile, the same everywhere.

The distributions are those of the Flax modules in `mixer.py` and `vit.py` (the tests hold one
against the other, array by array). Drawing them through `module.init` means compiling one random
generator a weight for every new shape: 0.6 s at depth 1 and 3.5 s at depth 8 on two cores.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import jax
import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from space.build import build
from space.config import Config, MixerConfig, ViTConfig, unknown_family

Array = npt.NDArray[np.float32]

_TRUNCATED_STD = 0.87962566103423978
"""Standard deviation of a standard normal cut off at -2 and 2."""


def initial_params(config: Config, seed: int) -> dict[str, Any]:
    """The parameter tree of a network, float32; equal seeds give equal trees.

    Kernels of a Mixer are LeCun normal, cut off at two standard deviations; a ViT's are Xavier
    uniform but for its patch embedding. Heads start at zero.

    Raises:
        TypeError: a configuration of another family.
    """
    match config:
        case MixerConfig():
            is_vit = False
        case ViTConfig():
            is_vit = True
        case _:
            raise unknown_family(config)
    shapes = param_shapes(config)
    rng = np.random.Generator(np.random.Philox(seed))

    def draw(path: tuple[Any, ...], leaf: jax.ShapeDtypeStruct) -> Array:
        return _draw(rng, is_vit, tuple(key.key for key in path), leaf.shape)

    tree: dict[str, Any] = jax.tree_util.tree_map_with_path(draw, shapes)
    return tree


@lru_cache(maxsize=8)  # a trial asks some times, and tracing a network takes 50 ms
def param_shapes(config: Config) -> dict[str, Any]:
    """The parameter tree with a `jax.ShapeDtypeStruct` in every leaf; computes nothing."""
    shape = (1, config.image_size, config.image_size, config.image_channels)
    image = jax.ShapeDtypeStruct(shape, np.float32)
    shapes: dict[str, Any] = jax.eval_shape(build(config).init, jax.random.key(0), image)["params"]
    return shapes


def _draw(
    rng: np.random.Generator, is_vit: bool, path: tuple[str, ...], shape: tuple[int, ...]
) -> Array:
    module, name = path[-2] if len(path) > 1 else "", path[-1]
    if name == "scale":
        return np.ones(shape, np.float32)
    if name == "pos_embedding":
        return (0.02 * rng.standard_normal(shape)).astype(np.float32)
    if name == "bias" and is_vit and "MlpBlock_0" in path:
        return (1e-6 * rng.standard_normal(shape)).astype(np.float32)
    if name != "kernel" or module == "head":
        return np.zeros(shape, np.float32)
    if is_vit and module != "embedding":
        return _xavier_uniform(rng, shape, split=-1 if module == "out" else 1)
    return _lecun_normal(rng, shape)


def _lecun_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Variance 1 / fan-in (LeCun et al. 1998), as `flax.linen.initializers.lecun_normal`."""
    fan_in = math.prod(shape[:-1])
    uniform = rng.uniform(ndtr(-2.0), ndtr(2.0), shape)
    return (ndtri(uniform) / (_TRUNCATED_STD * math.sqrt(fan_in))).astype(np.float32)


def _xavier_uniform(rng: np.random.Generator, shape: tuple[int, ...], *, split: int) -> Array:
    """Variance 2 / (fan-in + fan-out) (Glorot & Bengio 2010); inputs are the axes before `split`.

    Attention's kernels have an axis for the heads: the last two of query, key and value are
    outputs, the first two of the projection inputs.
    """
    fans = math.prod(shape[:split]) + math.prod(shape[split:])
    limit = math.sqrt(6.0 / fans)
    return rng.uniform(-limit, limit, shape).astype(np.float32)
