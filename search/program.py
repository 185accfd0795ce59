"""Ahead-of-time compilation: a network, a recipe and a device to something that runs at once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from search.compile_cache import counted_hits
from search.device_data import DeviceData
from search.optimizer import hyper_of
from search.recipe import Recipe
from search.train import Epoch, epoch_of, shuffle, state_shapes, steps_per_epoch
from space.config import Config


@dataclass(frozen=True)
class Program:
    """The epochs of a network, compiled for a data set, a batch size, a device and some seeds."""

    epoch: Epoch
    trace_seconds: float
    """From Python to what XLA compiles; holds the interpreter's lock."""
    compile_seconds: float
    """Of XLA, or of reading what it once made from the cache."""
    cache_hit: bool
    """Whether it was read from the cache."""
    device_bytes: int
    """Arguments, results and intermediate arrays on the device, the data set included."""


def compile_program(
    config: Config, recipe: Recipe, data: DeviceData, dtype: Any, *, num_seeds: int = 1
) -> Program:
    """Traces, lowers and compiles an epoch; computes nothing.

    Args:
        config: the network.
        recipe: its batch size and augmentation are part of the program, its numbers are not.
        data: on the device to compile for; only shapes matter.
        dtype: of the computation.
        num_seeds: how many are trained at once.

    Raises:
        jax.errors.JaxRuntimeError: `RESOURCE_EXHAUSTED` where the program cannot fit the device.
    """
    began = time.perf_counter()
    epoch = jax.jit(epoch_of(config, recipe, dtype, num_seeds), donate_argnums=0)
    (device,) = data.mean.devices()
    keys = jax.device_put(jnp.stack([jax.random.key(0)] * num_seeds), device)
    order, step_keys = jax.eval_shape(lambda: shuffle(keys, jnp.int32(0), num_train=data.num_train))
    lowered = epoch.trace(
        state_shapes(config, num_seeds),
        data,
        hyper_of(recipe, steps_per_epoch(recipe.batch_size, data.num_train)),
        order,
        step_keys,
        jnp.bool(True),
    ).lower(lowering_platforms=(device.platform,))
    traced = time.perf_counter()
    with counted_hits() as hits:
        executable = lowered.compile()
    compiled = time.perf_counter()
    return Program(
        epoch=executable,
        trace_seconds=traced - began,
        compile_seconds=compiled - traced,
        cache_hit=hits.count > 0,
        device_bytes=_device_bytes(executable),
    )


def _device_bytes(executable: Any) -> int:
    memory = executable.memory_analysis()
    return int(
        memory.argument_size_in_bytes
        + memory.output_size_in_bytes
        + memory.temp_size_in_bytes
        - memory.alias_size_in_bytes  # donated arguments are results too
    )
