"""The accelerator a search trains on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from search.train.machine import memory_limit
from space.config import Config
from space.cost import training_bytes
from space.errors import MixerSearchError

if TYPE_CHECKING:
    import jax


KINDS = ("auto", "cpu", "gpu", "cuda", "rocm", "tpu")


class DeviceError(MixerSearchError):
    """The device asked for is not there."""


def check_kind(kind: str) -> None:
    """Refuses a kind of device that nobody knows; whether there is one, `choose` finds out.

    Raises:
        DeviceError: it is not one of `KINDS`.
    """
    if kind not in KINDS:
        raise DeviceError(f"--device {kind}: there is {', '.join(KINDS)}; choose one of them")


def choose(kind: str = "auto") -> jax.Device:
    """The first device of a kind.

    Args:
        kind: one of `KINDS`; `auto` is the best JAX finds.

    Raises:
        DeviceError: JAX finds none of that kind; never falls back silently.
    """
    check_kind(kind)
    import jax  # here: who only catches DeviceError needs no JAX

    if kind == "auto":
        return jax.devices()[0]
    try:
        return jax.devices(kind)[0]
    except (RuntimeError, AssertionError):  # cuda asked for by JAX_PLATFORMS asserts, empty-handed
        found = ", ".join(sorted({f"{d.platform} ({d.device_kind})" for d in jax.devices()}))
        how = "see https://docs.jax.dev/en/latest/installation.html"
        if kind in {"gpu", "cuda"}:
            how = "for NVIDIA: pip install -c constraints.txt -e '.[cuda]'"
        raise DeviceError(
            f"--device {kind}: JAX finds no such device, only {found}; install JAX for it "
            f"({how}) or use --device auto"
        ) from None


def compute_dtype(device: jax.Device) -> Any:
    """bfloat16 where matrix units have it; float32 on a CPU, where bfloat16 is slower."""
    import jax.numpy as jnp

    return jnp.float32 if device.platform == "cpu" else jnp.bfloat16


def memory_bytes(device: jax.Device, sharers: int = 1) -> int | None:
    """What this process may use of the device's memory; None where it is not known.

    An accelerator tells what its allocator was given, which is this process's share already. A
    CPU has what `search.train.machine.memory_limit` says, shared out evenly.

    Args:
        device: where to train.
        sharers: how many processes train on the CPU.
    """
    limit: int | None = (device.memory_stats() or {}).get("bytes_limit")
    if limit is None and device.platform == "cpu":
        there = memory_limit()
        return None if there is None else there // sharers
    return limit


def step_bytes_needed(config: Config, batch_size: int, device: jax.Device) -> int:
    """Memory a training step needs on the device at least: see `space.cost.training_bytes`."""
    return training_bytes(config, batch_size, np.dtype(compute_dtype(device)).itemsize)
