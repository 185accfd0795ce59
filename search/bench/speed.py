"""How fast a network trains on a device, and how long its program takes to make."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.compilation_cache import compilation_cache

from search.bench.roofline import Ceilings, roofline, step_flops
from search.spec.recipe import Recipe, steps_per_epoch
from search.train.device_data import DeviceData
from search.train.devices import compute_dtype, memory_bytes, step_bytes_needed
from search.train.epoch import initial_state
from search.train.optimizer import hyper_of
from search.train.program import Program, compile_program
from space.config import Config, ImageTask
from space.cost import cost
from space.errors import MixerSearchError
from space.families import label_of

_STEPS = (4, 100)
"""The fewest and the most training steps in one dispatch."""


class RoomError(MixerSearchError):
    """A batch of the size asked for does not fit the device."""


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Of a network on a device at a batch size."""

    name: str
    config: dict[str, Any]
    params: int
    macs: int
    steps: int
    """Training steps timed."""
    step_seconds: float
    """The median over the dispatches."""
    images_per_second: float
    flops_per_second: float
    """6 x MACs x images per second."""
    roofline_seconds: float
    """What a step would take at the ceilings."""
    limited_by: str
    """By which of the two, `compute` or `memory`."""
    roofline_fraction: float
    """The roofline's seconds over the step's."""
    trace_seconds: float
    compile_seconds_cold: float
    """Of XLA, and of writing the result into the cache."""
    compile_seconds_warm: float | None
    """Of reading it from there; None on a device whose programs are not cached."""
    device_bytes: int
    """Of the compiled program: arguments, results and intermediate arrays."""


def measure(
    config: Config, batch_size: int, device: jax.Device, ceilings: Ceilings, seconds: float
) -> Speed:
    """Compiles a network's training twice, then trains it for about so many seconds.

    Training is on noise and without augmentation: that of the network, and no more.

    Raises:
        RoomError: the device has no room for it.
    """
    check_room(config, batch_size, device)
    dtype = compute_dtype(device)
    least = roofline(config, batch_size, jnp.dtype(dtype).itemsize, ceilings)
    steps = steps_at_once(least.seconds, seconds)
    recipe = Recipe(batch_size=batch_size)
    try:
        data = random_data(config.task, steps * batch_size, device)
        with empty_cache():
            cold, warm = (_compile_alone(config, recipe, data, dtype) for _ in range(2))
        epochs = epoch_seconds(warm, config, recipe, data, device, seconds)
    except jax.errors.JaxRuntimeError as error:
        if not str(error).startswith("RESOURCE_EXHAUSTED"):
            raise
        raise RoomError(_no_room(config, batch_size, device)) from None
    bill, step_seconds = cost(config), median(epochs) / steps
    return Speed(
        name=label_of(config),
        config=config.model_dump(),
        params=bill.params,
        macs=bill.macs,
        steps=steps * len(epochs),
        step_seconds=step_seconds,
        images_per_second=batch_size / step_seconds,
        flops_per_second=step_flops(config, batch_size) / step_seconds,
        roofline_seconds=least.seconds,
        limited_by=least.limited_by,
        roofline_fraction=least.seconds / step_seconds,
        trace_seconds=cold.trace_seconds,
        compile_seconds_cold=cold.compile_seconds,
        compile_seconds_warm=warm.compile_seconds if warm.cache_hit else None,
        device_bytes=cold.device_bytes,
    )


def check_room(config: Config, batch_size: int, device: jax.Device) -> None:
    """Refuses what cannot fit, by an estimate from below, before any of it is made.

    Raises:
        RoomError: training needs more memory than the device has.
    """
    have = memory_bytes(device)
    if have is not None and step_bytes_needed(config, batch_size, device) > have:
        raise RoomError(_no_room(config, batch_size, device))


def steps_at_once(roofline_seconds: float, seconds: float) -> int:
    """Steps of an epoch that takes a third of the time, if they run at half the roofline."""
    fewest, most = _STEPS
    return min(max(fewest, round(seconds / 3 / (2 * roofline_seconds))), most)


def random_data(task: ImageTask, num_train: int, device: jax.Device) -> DeviceData:
    """Training images of noise, and a single one for validation, which is not to be measured."""
    rng = np.random.default_rng(0)
    size, channels = task.image_size, task.image_channels
    put = partial(jax.device_put, device=device)
    return DeviceData(
        train_images=put(rng.integers(0, 256, (num_train, size, size, channels), np.uint8)),
        train_labels=put(rng.integers(0, task.num_classes, num_train, np.int32)),
        validation_images=put(np.zeros((1, 1, size, size, channels), np.uint8)),
        validation_labels=put(np.zeros((1, 1), np.int32)),
        mean=put(np.full(channels, 127.5, np.float32)),
        std=put(np.full(channels, 73.9, np.float32)),
    )


def epoch_seconds(
    program: Program,
    config: Config,
    recipe: Recipe,
    data: DeviceData,
    device: jax.Device,
    seconds: float,
    *,
    num_seeds: int = 1,
) -> list[float]:
    """What every epoch took after the first: two or more, until the time is spent."""
    hyper = hyper_of(recipe, steps_per_epoch(recipe.batch_size, data.num_train))
    rng, seeds = np.random.default_rng(0), range(num_seeds)
    orders = np.stack([rng.permutation(data.num_train).astype(np.int32) for _ in seeds])
    keys = jax.device_put(jnp.stack([jax.random.key(seed) for seed in seeds]), device)
    order = jax.device_put(orders, device)
    state = jax.device_put(initial_state(config, seeds, recipe), device, may_alias=False)
    spent: list[float] = []
    while len(spent) < 3 or sum(spent[1:]) < seconds:
        began = time.perf_counter()
        state, metrics = program.epoch(state, data, hyper, order, keys, jnp.bool(True))
        jax.device_get(metrics)
        spent.append(time.perf_counter() - began)
    return spent[1:]


def _compile_alone(config: Config, recipe: Recipe, data: DeviceData, dtype: Any) -> Program:
    """Compiles as a new process would: nothing is left in memory of what was traced before."""
    jax.clear_caches()  # type: ignore[no-untyped-call]
    return compile_program(config, recipe, data, dtype)


@contextmanager
def empty_cache() -> Iterator[None]:
    """A persistent compilation cache of its own for the block, for programs of any size."""
    with tempfile.TemporaryDirectory(prefix="compiled-") as folder:
        settings = {
            "jax_enable_compilation_cache": True,
            "jax_compilation_cache_dir": folder,
            "jax_persistent_cache_min_compile_time_secs": 0.0,
            "jax_persistent_cache_min_entry_size_bytes": -1,
        }
        before = {name: getattr(jax.config, name) for name in settings}
        try:
            _configure(settings)
            yield
        finally:
            _configure(before)


def _configure(settings: dict[str, Any]) -> None:
    for name, value in settings.items():
        jax.config.update(name, value)  # type: ignore[no-untyped-call]
    compilation_cache.reset_cache()  # JAX reads them once, at its first program


def _no_room(config: Config, batch_size: int, device: jax.Device) -> str:
    need = step_bytes_needed(config, batch_size, device) / 2**30
    have = memory_bytes(device)
    has = f", {device.device_kind} has {have / 2**30:.2f}" if have is not None else ""
    return (
        f"batch size {batch_size}: training {label_of(config)} needs at least {need:.2f} GiB by "
        f"estimate{has}; give a smaller --batch-size"
    )
