"""What this machine has, and each worker's share of it, found out without JAX in this process."""

from __future__ import annotations

import os
import platform
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
        device_kind: as `search.train.devices.choose` takes it.
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


def share(
    worker: int, count: int, *, device_kind: str = "auto", per_device: int = 1
) -> dict[str, str]:
    """Variables that give a worker's process its accelerator and its share of cores and memory.

    Args:
        worker: its number, from 0; neighbours share an accelerator.
        count: how many workers there are.
        device_kind: as `search.train.devices.choose` takes it.
        per_device: how many workers share an accelerator.
    """
    cores = max(1, num_cores() // count)
    environment = {"PJRT_NPROC": str(cores)}  # of XLA's thread pools
    if device_kind == "cpu":  # an accelerator that is there stays free for others
        return environment | {"JAX_PLATFORMS": "cpu"}
    if not any(name.endswith("CLIENT_MEM_FRACTION") for name in os.environ):
        environment["XLA_CLIENT_MEM_FRACTION"] = memory_fraction(per_device)
    device, num_devices = worker // per_device, -(-count // per_device)
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
        given = os.environ.get(name)
        visible = [str(i) for i in range(num_devices)] if given is None else given.split(",")
        environment[name] = visible[device] if device < len(visible) else "-1"  # none
    if count > 1:
        one = {"TPU_CHIPS_PER_PROCESS_BOUNDS": "1,1,1", "TPU_PROCESS_BOUNDS": "1,1,1"}
        environment |= {**one, "TPU_VISIBLE_CHIPS": str(device)}
    return environment


def memory_fraction(per_device: int) -> str:
    """What each of so many processes may take of an accelerator's memory, for XLA's allocator.

    A tenth is left to the driver and to what compiles.
    """
    return f"{0.9 / per_device:.4f}"


def memory_limit(
    cgroups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
) -> int | None:
    """Bytes of memory this process may use: what the machine has, or a cgroup's limit below it.

    Containers and batch systems limit memory by cgroups, of version 1 or 2: the least limit of
    the process's own group and those around it holds. None where the machine does not say.

    Args:
        cgroups: where the system shows its groups.
        own: the file that names the groups of this process.
    """
    limits = []
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for line in _lines(own):
        _, controllers, group = line.split(":", 2)
        if controllers not in {"", "memory"}:
            continue
        root = cgroups / controllers  # version 2 has no controller here and no folder for it
        name = "memory.limit_in_bytes" if controllers else "memory.max"
        inner = root / group.lstrip("/")
        for folder in (inner, *inner.parents):
            if not folder.is_relative_to(root):
                break
            limits += [int(text) for text in _lines(folder / name) if text.isdecimal()]
    return min(limits, default=None)


def _lines(file: Path) -> list[str]:
    """What a file of the system says; nothing where there is none."""
    try:
        return file.read_text().splitlines()
    except OSError:
        return []


def num_cores() -> int:
    """Processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_model() -> str:
    """The processor's name, as its maker or the operating system gives it."""
    lines = _lines(Path("/proc/cpuinfo"))
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
