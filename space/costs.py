"""Costs by name: what a study may minimise, and what its results are weighed against.

`COSTS` is a plain dictionary. A package adds a cost of its own by an entry point:

    [project.entry-points."mixer_search.costs"]
    layers = "my_package.costs:LAYERS"    # a Cost

It is loaded when a cost is asked for that is not in the dictionary, or when all are listed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from space.config import Config
from space.cost import cost
from space.errors import MixerSearchError, nearest
from space.installed import installed
from space.quantities import exact_count, format_count

GROUP = "mixer_search.costs"
"""Of entry points."""


class CostError(MixerSearchError):
    """No such cost, one that no study can minimise, or one that gives no positive number."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Something accuracy is weighed against: a number a configuration, or one measured a trial."""

    name: str
    """In study files, SQL and data frames; at most 64 characters."""
    label: str
    """Heads a column; chooses an axis; no other's."""
    unit: str
    """After a number: `12.3 M FLOPs`."""
    title: str
    """Of an axis, with its unit."""
    of: Callable[[Config], float] | None
    """From a configuration to a positive number, None where it is measured.

    At one patch size it must not fall where another parameter grows: the cheapest and the dearest
    of a space are looked for among its corners.
    """
    direction: Literal["minimize", "maximize"] = "minimize"

    def __call__(self, config: Config) -> float:
        """What a configuration costs.

        Raises:
            CostError: no positive number, or it is measured.
        """
        if self.of is None:
            raise CostError(f"cost {self.name!r} is measured; a configuration alone has none")
        value = self.of(config)
        if not 0 < value < math.inf:
            raise CostError(
                f"cost {self.name!r} of {config!r} is {value}; make it positive and finite"
            )
        return value

    @property
    def can_be_minimized(self) -> bool:
        """Whether a study can minimise it: known before a network is trained, and better low."""
        return self.of is not None and self.direction == "minimize"

    @property
    def option(self) -> str:
        """What limits it on the command line."""
        return "--max-flops" if self.name == "flops" else "--max-cost"

    def exactly(self, value: float) -> str:
        """`75,891,968 FLOPs`."""
        return f"{exact_count(value)} {self.unit}"

    def shortly(self, value: float) -> str:
        """`75.9 M FLOPs`."""
        return f"{format_count(value)} {self.unit}"


FLOPS = Cost(
    name="flops",
    label="FLOPs",
    unit="FLOPs",
    title="FLOPs (2 × MACs, one image, forward)",
    of=lambda config: cost(config).flops,
)
MACS = Cost(
    name="macs",
    label="MACs",
    unit="MACs",
    title="MACs (multiply-adds, one image, forward)",
    of=lambda config: cost(config).macs,
)
PARAMS = Cost(
    name="params",
    label="Parameters",
    unit="parameters",
    title="Parameters",
    of=lambda config: cost(config).params,
)
IMAGES_PER_SECOND = Cost(
    name="images_per_second",
    label="Images/s",
    unit="images/s",
    title="Training images per second, as measured",
    of=None,
    direction="maximize",
)
LATENCIES: dict[str, Cost] = {
    runtime: Cost(
        name=f"latency_{runtime}_ms",
        label=f"Latency ({name})",
        unit="ms",
        title=f"Latency of one image in {where} (ms), as measured",
        of=None,
    )
    for runtime, name, where in (("jax", "JAX", "JAX"), ("onnx", "ONNX", "ONNX Runtime"))
}
"""By the runtime; of a study all values of one were measured by one command on one machine."""

COSTS: dict[str, Cost] = {
    one.name: one for one in (FLOPS, MACS, PARAMS, IMAGES_PER_SECOND, *LATENCIES.values())
}
"""By name; FLOPs, which a study minimises unless it names another, first."""


def all_costs() -> list[Cost]:
    """Those of the dictionary and of installed packages."""
    _load_entry_points()
    return list(COSTS.values())


def find_cost(name: str) -> Cost:
    """The cost of that name.

    Raises:
        CostError: there is none; the sentence lists those there are.
    """
    if name not in COSTS:
        _load_entry_points()
    if name not in COSTS:
        raise CostError(
            f"there is no cost {name!r}{nearest(name, COSTS)}; there are: {', '.join(COSTS)}"
        )
    return COSTS[name]


def find_objective(name: str) -> Cost:
    """The cost of that name, which a study can minimise.

    Raises:
        CostError: there is none, or it is measured; the sentence lists those that can be.
    """
    can_be = ", ".join(one.name for one in all_costs() if one.can_be_minimized)
    if name not in COSTS:
        raise CostError(
            f"there is no cost {name!r}{nearest(name, COSTS)}; a study can minimise: {can_be}"
        )
    if not COSTS[name].can_be_minimized:
        raise CostError(
            f"cost {name!r} is known only once a network is trained; a study can minimise: {can_be}"
        )
    return COSTS[name]


@cache
def _load_entry_points() -> None:
    """Adds the costs of installed packages; a name that is taken stays as it is."""
    for found in installed(GROUP, Cost).values():
        COSTS.setdefault(found.name, found)
