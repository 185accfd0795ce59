"""What this machine has, and each worker's share of it, found out without JAX in this process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_NODES = ("nvidia[0-9]*", "kfd", "accel[0-9]*", "accel/accel[0-9]*", "vfio/[0-9]*")
"""Devices of drivers, in `/dev`: NVIDIA's, AMD's, and those of TPUs."""

_SECONDS_TO_ANSWER = 300

_ASK = "import jax, sys; print(len([d for d in jax.local_devices() if d.platform != 'cpu']))"


def count_accelerators(device_kind: str = "auto", *, devices: Path = Path("/dev")) -> int:
    """As many as JAX sees; 1 on a machine without, or where the CPU is asked for.

    Args:
        device_kind: as `search.devices.choose` takes it.
        devices: where drivers show theirs. Without any, JAX is not asked, which takes seconds.
    """
    if device_kind == "cpu" or not any(any(devices.glob(pattern)) for pattern in _NODES):
        return 1
    command = [sys.executable, "-c", _ASK]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS_TO_ANSWER)
    except subprocess.TimeoutExpired:
        return 1  # what is wrong, a worker will say
    found = asked.stdout.strip()
    return max(1, int(found)) if found.isdigit() else 1


def share(worker: int, count: int) -> dict[str, str]:
    """What lets a process see its own accelerator only, and take its share of the cores."""
    cores = max(1, num_cores() // count)
    environment = {"PJRT_NPROC": str(cores)}  # of XLA's thread pools
    if not any(name.endswith("CLIENT_MEM_FRACTION") for name in os.environ):
        environment["XLA_CLIENT_MEM_FRACTION"] = "0.9"  # nobody else is on its accelerator
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
        given = os.environ.get(name)
        visible = [str(i) for i in range(count)] if given is None else given.split(",")
        environment[name] = visible[worker] if worker < len(visible) else "-1"  # none
    if count > 1:
        one = {"TPU_CHIPS_PER_PROCESS_BOUNDS": "1,1,1", "TPU_PROCESS_BOUNDS": "1,1,1"}
        environment |= {**one, "TPU_VISIBLE_CHIPS": str(worker)}
    return environment


def num_cores() -> int:
    """Processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
