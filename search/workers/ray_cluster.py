"""A Ray cluster: how it is reached, and what it has to train on."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from runs.record import Environment
from space.errors import MixerSearchError

_SECONDS_TO_ANSWER = 5.0
"""In which a cluster says that it is there; Ray itself tries for many minutes."""

_SECONDS_TO_BE_FREE = 10.0
"""In which what a driver had that has ended is free."""

_RESOURCES = {"gpu": "GPU", "cuda": "GPU", "rocm": "GPU", "tpu": "TPU"}
"""What Ray calls the devices that `search.train.devices.choose` calls so."""


class ClusterError(MixerSearchError):
    """The Ray cluster is not there, or has nothing to train on."""


@dataclass(frozen=True, kw_only=True)
class Places:
    """What every worker of a study is to have."""

    count: int
    """Of workers."""
    device_kind: str
    """As `search.train.devices.choose` takes it, never `auto`."""
    num_cores: int
    """Of its node; 0 where a node has more accelerators than cores."""
    per_device: int = 1
    """Workers that share an accelerator."""

    @property
    def options(self) -> dict[str, Any]:
        """Of a Ray actor."""
        resource = _RESOURCES.get(self.device_kind)
        accelerator: dict[str, Any] = {}
        if resource == "GPU":
            accelerator = {"num_gpus": 1 / self.per_device}
        elif resource is not None:
            accelerator = {"resources": {resource: 1}}
        return {"num_cpus": self.num_cores, "scheduling_strategy": "SPREAD", **accelerator}


def find_places(
    count: int | None,
    device_kind: str,
    nodes: Sequence[Mapping[str, float]],
    free: Mapping[str, float],
    *,
    per_device: int = 1,
) -> Places:
    """An accelerator for so many workers, each with its share of the cores; without accelerators,
    cores alone.

    Args:
        count: how many workers; None for `per_device` a free accelerator, or a node with cores.
        device_kind: as `search.train.devices.choose` takes it; `auto` is an accelerator if there is
            one.
        nodes: resources of every node that is alive, as Ray names them.
        free: what is free of the resources of all nodes.
        per_device: how many workers share an accelerator.

    Raises:
        ClusterError: there are not so many, or they cannot be shared.
    """
    if device_kind == "auto":
        known = [kind for kind, name in _RESOURCES.items() if any(node.get(name) for node in nodes)]
        device_kind = known[0] if known else "cpu"
    resource = _RESOURCES.get(device_kind, "CPU")
    there = int(sum(node.get(resource, 0) for node in nodes))
    if there == 0:
        raise ClusterError(
            f"a worker needs a {resource}, and the Ray cluster has none (nodes alive: "
            f"{len(nodes)}); see `ray status`, or name another --device"
        )
    if resource == "TPU" and per_device > 1:
        raise ClusterError(
            f"--workers-per-device {per_device}: a TPU chip belongs to one process; leave it out"
        )
    free_ones = min(there, int(free.get(resource, 0)))
    if free_ones == 0:
        raise ClusterError(
            f"a worker needs a {resource}, and all {there} of the Ray cluster are taken; "
            "see `ray status`, and try again when some are free"
        )
    sharers = 1 if resource == "CPU" else per_device
    to_be_had = sharers * free_ones
    if count is None:
        with_cores = per_device * sum(node.get("CPU", 0) >= 1 for node in nodes)
        count = to_be_had if resource != "CPU" else min(to_be_had, with_cores)
    if count > to_be_had:
        needs = "one" if sharers == 1 else f"1/{sharers} of one"
        raise ClusterError(
            f"--workers {count}: {free_ones} of the {there} {resource}s of the Ray cluster are "
            f"free, and a worker needs {needs}; ask for at most {to_be_had}"
        )
    room = [int(sharers * node.get(resource, 0)) for node in nodes]
    return Places(
        count=count,
        device_kind=device_kind,
        num_cores=_cores_each(count, room, nodes, free),
        per_device=sharers,
    )


def _cores_each(
    count: int,
    room: Sequence[int],
    nodes: Sequence[Mapping[str, float]],
    free: Mapping[str, float],
) -> int:
    """The largest equal share of the cores with which so many workers have a place.

    Args:
        count: how many workers.
        room: how many the accelerators of every node can take, or its cores where those train.
        nodes: as `find_places` takes them.
        free: likewise.
    """

    def places(cores: int) -> int:
        return sum(
            min(int(node.get("CPU", 0)) // cores, most)
            for node, most in zip(nodes, room, strict=True)
        )

    most = int(free.get("CPU", 0)) // count
    return next((cores for cores in range(most, 0, -1) if places(cores) >= count), 0)


def agreed(known: Environment | None, new: Environment, node: str) -> Environment:
    """What all workers train on, with one more; where devices differ, on one of these.

    Raises:
        ClusterError: the node has other versions of libraries or of our code than those before.
    """
    if known is None:
        return new
    theirs = {**known.versions, "revision": known.git_revision}
    here = {**new.versions, "revision": new.git_revision}
    differ = [name for name in theirs if here.get(name) != theirs[name]]
    if differ:
        told = ", ".join(f"{name} {here.get(name)}, not {theirs[name]}" for name in differ)
        raise ClusterError(f"the Ray node {node} has {told}; install the same on every node")
    kinds = {*known.device_kind.split(", "), new.device_kind}
    return replace(known, device_kind=", ".join(sorted(kinds)))


@contextmanager
def connected(address: str) -> Iterator[None]:
    """With this process as a driver of a Ray cluster; Ray ends its actors with it.

    Args:
        address: `host:port`, or `auto` for `$RAY_ADDRESS` or the cluster this machine is a node of.

    Raises:
        ClusterError: Ray is not installed, or there is no cluster this process may use.
    """
    try:
        import ray
    except ImportError:
        raise ClusterError(
            "--engine ray: Ray is not installed; pip install 'mixer-search[ray]' "
            "(in a checkout: pip install -c constraints.txt -e '.[ray]'), on every node"
        ) from None
    _probe(os.environ.get("RAY_ADDRESS", address) if address == "auto" else address)
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address, log_to_driver=False, logging_level="ERROR")
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise _unreachable(address, " ".join(str(error).split())) from None
    signal.signal(signal.SIGTERM, before)  # Ray sets its own
    try:
        yield
    finally:
        ray.shutdown()


def resources() -> tuple[list[dict[str, float]], dict[str, float]]:
    """Of every node that is alive, and what is free of them: as `find_places` takes both.

    Waits some seconds for what is taken: the driver that had it may just have ended.
    """
    import ray

    deadline = time.monotonic() + _SECONDS_TO_BE_FREE
    while True:
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        free = ray.available_resources()
        names = ("CPU", *_RESOURCES.values())
        taken = any(free.get(n, 0) < sum(node.get(n, 0) for node in nodes) for n in names)
        if not taken or time.monotonic() > deadline:
            return nodes, free
        time.sleep(0.2)


def _probe(address: str) -> None:
    """Refuses an address where nothing listens."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdecimal():
        raise _unreachable(address, "it is neither HOST:PORT nor auto")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _SECONDS_TO_ANSWER).close()
    except (OSError, OverflowError) as error:
        raise _unreachable(address, f"nobody answers there ({error})") from None


def _unreachable(address: str, why: str) -> ClusterError:
    return ClusterError(
        f"--ray-address {address}: {why}; start a cluster with `ray start --head`, and run this "
        "command on one of its nodes"
    )
