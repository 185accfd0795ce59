"""Ahead-of-time compilation: a network, a recipe and a device to something that runs at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import export

from search.spec.recipe import Recipe, steps_per_epoch
from search.train.cache_hits import counted_hits
from search.train.device_data import DeviceData
from search.train.epoch import Epoch, EpochMetrics, TrainState, epoch_of, shuffle, state_shapes
from search.train.optimizer import hyper_of, without_arguments
from search.train.traced_programs import load_or_export, source_digest
from search.train.xla_options import compiler_options
from space.build import build
from space.config import Config


@dataclass(frozen=True)
class Program:
    """The epochs of a network, compiled for a data set, a batch size, a device and some seeds."""

    epoch: Epoch
    trace_seconds: float
    """From Python to what XLA compiles, or reading that; holds the interpreter's lock."""
    compile_seconds: float
    """Of XLA, or of reading what it once made from the cache."""
    cache_hit: bool
    """Whether it was read from the cache."""
    device_bytes: int
    """Arguments, results and intermediate arrays on the device, the data set included."""


def compile_program(
    config: Config,
    recipe: Recipe,
    data: DeviceData,
    dtype: Any,
    *,
    num_seeds: int = 1,
    options: Mapping[str, Any] | None = None,
) -> Program:
    """Traces, lowers and compiles an epoch; computes nothing.

    Args:
        config: the network.
        recipe: of the values that `hyper_of` makes arguments, any will do.
        data: on the device to compile for; only shapes matter.
        dtype: of the computation.
        num_seeds: how many are trained at once.
        options: of XLA, in the place of `compiler_options`.

    Raises:
        jax.errors.JaxRuntimeError: `RESOURCE_EXHAUSTED` where the program cannot fit the device.
    """
    began = time.perf_counter()
    (device,) = data.mean.devices()
    keys = jax.device_put(jnp.stack([jax.random.key(0)] * num_seeds), device)
    order, step_keys = jax.eval_shape(lambda: shuffle(keys, jnp.int32(0), num_train=data.num_train))
    hyper = hyper_of(recipe, steps_per_epoch(recipe.batch_size, data.num_train))
    state = state_shapes(config, num_seeds, recipe)
    recipe = without_arguments(recipe)  # from here on: nothing that is not in the program's name
    function = epoch_of(config, recipe, dtype, num_seeds)
    state_leaves, state_tree = jax.tree.flatten(state)
    others, others_tree = jax.tree.flatten((data, hyper, order, step_keys, jnp.bool(True)))

    def flat(state_leaves: list[jax.Array], others: list[jax.Array]) -> list[jax.Array]:
        """The epoch of plain lists: what is kept on disk knows none of our types."""
        state = jax.tree.unflatten(state_tree, state_leaves)
        return jax.tree.leaves(function(state, *jax.tree.unflatten(others_tree, others)))

    def trace() -> export.Exported:
        platform = "cpu" if device.platform == "cpu" else export.default_export_platform()
        return export.export(jax.jit(flat), platforms=[platform])(state_leaves, others)

    shapes = [jax.typeof(leaf).str_short() for leaf in jax.tree.leaves((state, others))]
    source = source_digest(type(build(config)).__module__)
    facts = [config, source, recipe, jnp.dtype(dtype), device.platform]
    call: Callable[..., Any] = flat
    with suppress(ValueError, NotImplementedError):  # it cannot be exported; a bug raises again
        call = load_or_export(" ".join(map(repr, [*facts, num_seeds, shapes])), trace).call
    lowered = jax.jit(call, donate_argnums=0).lower(state_leaves, others)
    if options is None:
        options = compiler_options(device.platform)
    lowered_at = time.perf_counter()
    with counted_hits() as hits:
        executable = lowered.compile(compiler_options=dict(options))
    compiled_at = time.perf_counter()

    def epoch(state: TrainState, *others: Any) -> tuple[TrainState, EpochMetrics]:
        leaves = executable(jax.tree.leaves(state), jax.tree.leaves(others))
        count = len(state_leaves)
        return jax.tree.unflatten(state_tree, leaves[:count]), EpochMetrics(*leaves[count:])

    return Program(
        epoch=epoch,
        trace_seconds=lowered_at - began,
        compile_seconds=compiled_at - lowered_at,
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
