"""The distributions that weights start from, drawn with NumPy.

They are those of the Flax modules in `mixer.py` and `vit.py`; the tests hold one against the
other, array by array.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

Array = npt.NDArray[np.float32]

_TRUNCATED_STD = 0.87962566103423978
"""Standard deviation of a standard normal cut off at -2 and 2."""


def draw_mixer(rng: np.random.Generator, path: tuple[str, ...], shape: tuple[int, ...]) -> Array:
    """A Mixer's weight by its path: kernels are LeCun normal, the head starts at zero."""
    module, name = _last_two(path)
    if name == "scale":
        return np.ones(shape, np.float32)
    if name != "kernel" or module == "head":
        return np.zeros(shape, np.float32)
    return lecun_normal(rng, shape)


def draw_vit(rng: np.random.Generator, path: tuple[str, ...], shape: tuple[int, ...]) -> Array:
    """A ViT's weight by its path: kernels are Xavier uniform but for the patch embedding's."""
    module, name = _last_two(path)
    if name == "pos_embedding":
        return (0.02 * rng.standard_normal(shape)).astype(np.float32)
    if name == "bias" and "MlpBlock_0" in path:
        return (1e-6 * rng.standard_normal(shape)).astype(np.float32)
    if name == "kernel" and module not in {"head", "embedding"}:
        return xavier_uniform(rng, shape, split=-1 if module == "out" else 1)
    return draw_mixer(rng, path, shape)


def lecun_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Variance 1 / fan-in (LeCun et al. 1998), as `flax.linen.initializers.lecun_normal`."""
    fan_in = math.prod(shape[:-1])
    uniform = rng.uniform(ndtr(-2.0), ndtr(2.0), shape)
    normal: npt.NDArray[np.float64] = ndtri(uniform)
    return (normal / (_TRUNCATED_STD * math.sqrt(fan_in))).astype(np.float32)


def xavier_uniform(rng: np.random.Generator, shape: tuple[int, ...], *, split: int) -> Array:
    """Variance 2 / (fan-in + fan-out) (Glorot & Bengio 2010); inputs are the axes before `split`.

    Attention's kernels have an axis for the heads: the last two of query, key and value are
    outputs, the first two of the projection inputs.
    """
    fans = math.prod(shape[:split]) + math.prod(shape[split:])
    limit = math.sqrt(6.0 / fans)
    return rng.uniform(-limit, limit, shape).astype(np.float32)


def _last_two(path: tuple[str, ...]) -> tuple[str, str]:
    """The module that has the weight, and the weight's name in it."""
    return path[-2] if len(path) > 1 else "", path[-1]
