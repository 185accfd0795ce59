"""What `search.bench` measured last on this machine, kept for `search.run --dry-run`. No JAX."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from space.cache_folder import cache_folder
from space.whole_file import whole_file


class NetworkSpeed(NamedTuple):
    """How fast a network trained."""

    macs: int
    images_per_second: float


class BenchResult(NamedTuple):
    """As much of a measurement as a forecast needs."""

    date: str
    device_kind: str
    speeds: tuple[NetworkSpeed, ...]


def keep_result(facts: dict[str, Any]) -> None:
    """Keeps a measurement in the place of the one before; where it cannot be, nothing is lost."""
    with suppress(OSError), whole_file(_file()) as file:
        file.write(json.dumps(facts).encode())


def last_result() -> BenchResult | None:
    """The last measurement; None where there is none that can be read."""
    try:
        facts = json.loads(_file().read_bytes())
        speeds = tuple(
            NetworkSpeed(int(network["macs"]), float(network["images_per_second"]))
            for network in facts["networks"]
        )
        return BenchResult(str(facts["date"]), str(facts["device_kind"]), speeds)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _file() -> Path:
    return cache_folder() / "bench.json"
