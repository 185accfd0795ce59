"""The accelerator a search trains on."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from space.errors import MixerSearchError


class DeviceError(MixerSearchError):
    """The device asked for is not there."""


def choose(kind: str = "auto") -> jax.Device:
    """The first device of a kind.

    Args:
        kind: `auto` (the best JAX finds), `cpu`, `gpu`, `cuda`, `rocm` or `tpu`.

    Raises:
        DeviceError: JAX finds none of that kind; never falls back silently.
    """
    if kind == "auto":
        return jax.devices()[0]
    try:
        return jax.devices(kind)[0]
    except (RuntimeError, AssertionError):  # cuda asked for by JAX_PLATFORMS asserts, empty-handed
        found = ", ".join(sorted({f"{d.platform} ({d.device_kind})" for d in jax.devices()}))
        raise DeviceError(
            f"--device {kind}: JAX finds no such device, only {found}; "
            "install JAX for it (pip install -e '.[cuda]' for NVIDIA) or use --device auto"
        ) from None


def compute_dtype(device: jax.Device) -> Any:
    """bfloat16 where matrix units have it; float32 on a CPU, where bfloat16 is slower."""
    return jnp.float32 if device.platform == "cpu" else jnp.bfloat16
