"""Baselines: a ladder of a family's networks over a range of FLOPs, or of another cost."""

from __future__ import annotations

import math

from space.config import Config, ImageTask
from space.costs import FLOPS, Cost
from space.family import Family


def ladder(
    family: Family,
    task: ImageTask,
    *,
    min_cost: float,
    max_cost: float,
    rungs: int,
    cost: Cost = FLOPS,
    max_flops: float = math.inf,
) -> list[Config]:
    """At most `rungs` different networks, cheapest first, evenly spread over the log of their cost.

    Each rung takes the nearest of the family's candidates that costs at most `max_cost` and has at
    most `max_flops`; a range too narrow for so many gives fewer, a family without candidates none.
    """
    candidates = [
        (value, config)
        for config in (family.ladder(task) if family.ladder else ())
        if (value := cost(config)) <= max_cost
        and (max_flops == math.inf or FLOPS(config) <= max_flops)
    ]
    chosen: dict[float, Config] = {}
    for aim in _log_spaced(min_cost, max_cost, rungs) if candidates else []:
        value, config = min(candidates, key=lambda pair: abs(math.log(pair[0] / aim)))
        chosen[value] = config
    return [chosen[value] for value in sorted(chosen)]


def _log_spaced(low: float, high: float, count: int) -> list[float]:
    if count == 1:
        return [math.sqrt(low * high)]
    step = math.log(high / low) / (count - 1)
    return [low * math.exp(step * i) for i in range(count)]
