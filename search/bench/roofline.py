"""How fast a training step could be on a device at best: its two ceilings, and arithmetic.

The roofline model (Williams, Waterman & Patterson 2009): a step takes at least the time of its
matrix products at the fastest product measured, and at least the time of its memory traffic at the
fastest copy measured, whichever is longer.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from space.config import Config
from space.cost import cost, training_bytes

_SMALLEST_MATRIX, _LARGEST_MATRIX = 512, 16_384
"""Sides of the square matrices multiplied, every power of two between them."""


@dataclass(frozen=True, kw_only=True)
class Ceilings:
    """What a device reached in the best of many tries."""

    flops_per_second: float
    """Of a product of two square matrices."""
    matrix_size: int
    """The side of those that were fastest."""
    bytes_per_second: float
    """Read and written by adding 1 to a large array in place."""


@dataclass(frozen=True, kw_only=True)
class Roofline:
    """The least time a training step can take."""

    compute_seconds: float
    memory_seconds: float

    @property
    def seconds(self) -> float:
        """The larger of the two."""
        return max(self.compute_seconds, self.memory_seconds)

    @property
    def limited_by(self) -> Literal["compute", "memory"]:
        """Which of the two is the larger."""
        return "compute" if self.compute_seconds >= self.memory_seconds else "memory"


def roofline(config: Config, batch_size: int, bytes_per_value: int, ceilings: Ceilings) -> Roofline:
    """The least time of a training step.

    Args:
        config: the network.
        batch_size: images in a step.
        bytes_per_value: of an activation; weights, gradients and moments have 4.
        ceilings: of the device.
    """
    return Roofline(
        compute_seconds=step_flops(config, batch_size) / ceilings.flops_per_second,
        memory_seconds=step_bytes(config, batch_size, bytes_per_value) / ceilings.bytes_per_second,
    )


def step_flops(config: Config, batch_size: int) -> int:
    """6 x MACs an image: one forward pass, two products of the same size backward for each."""
    return 6 * cost(config).macs * batch_size


def step_bytes(config: Config, batch_size: int, bytes_per_value: int) -> int:
    """Bytes a training step moves at least: all that `training_bytes` counts, written and read.

    That is, in float32, weights and both moments read and written, gradients written and read;
    and the activations kept for the backward pass, written on the way forward and read on the way
    back. A bound from below, for nothing else is counted: no second reading of an activation in
    the forward pass, no gradient of an activation, no image. It supposes that nothing stays in a
    cache from its writing to its reading, so a network small enough to do so may beat it.
    """
    return 2 * training_bytes(config, batch_size, bytes_per_value)


def measure_ceilings(device: jax.Device, dtype: Any, seconds: float) -> Ceilings:
    """Multiplies matrices of growing size, until one product takes long, and copies memory.

    Args:
        device: to measure.
        dtype: of the matrices.
        seconds: to spend on every size, and on the copy; at least a few calls are made.
    """
    speeds = {}
    for size in _matrix_sizes():
        product_seconds = _fastest_product(device, dtype, size, seconds)
        speeds[size] = 2 * size**3 / product_seconds
        if 8 * product_seconds > 0.5:  # what the next size would take
            break
    best = max(speeds, key=lambda size: speeds[size])
    return Ceilings(
        flops_per_second=speeds[best],
        matrix_size=best,
        bytes_per_second=_fastest_copy(device, seconds),
    )


def _matrix_sizes() -> list[int]:
    doublings = int(math.log2(_LARGEST_MATRIX // _SMALLEST_MATRIX))
    return [_SMALLEST_MATRIX << i for i in range(doublings + 1)]


def _fastest_product(device: jax.Device, dtype: Any, size: int, seconds: float) -> float:
    rng = np.random.default_rng(0)  # zeros would be faster: they save the device power
    numbers = rng.standard_normal((2, size, size), np.float32)
    left, right = (jax.device_put(matrix, device).astype(dtype) for matrix in numbers)
    multiply = jax.jit(lambda left, right: left @ right)
    return _fastest(lambda: multiply(left, right), seconds)


def _fastest_copy(device: jax.Device, seconds: float) -> float:
    """Bytes per second, read and written, over an array far larger than any cache."""
    num_bytes = 2**28 if device.platform == "cpu" else 2**30
    array = jnp.zeros(num_bytes // 4, jnp.float32, device=device)
    add = jax.jit(lambda x: x + 1, donate_argnums=0)  # fresh memory would cost its page faults

    def in_place() -> Any:
        nonlocal array
        array = add(array)
        return array

    return 2 * num_bytes / _fastest(in_place, seconds)


def _fastest(call: Callable[[], Any], seconds: float) -> float:
    """The fewest seconds a call took, several under way at a time so that launching is hidden."""

    def timed(times: int) -> float:
        began = time.perf_counter()
        for _ in range(times):
            result = call()
        result.block_until_ready()
        return (time.perf_counter() - began) / times

    timed(1)  # compiles
    together = min(max(1, round(0.02 / timed(1))), 100)
    end = time.perf_counter() + seconds
    best = timed(together)
    while time.perf_counter() < end:
        best = min(best, timed(together))
    return best
