"""Baselines: a ladder of a family's networks over a range of FLOPs."""

from __future__ import annotations

import math

from space.config import Config, ImageTask
from space.cost import cost
from space.family import Family


def ladder(
    family: Family, task: ImageTask, *, min_flops: float, max_flops: float, rungs: int
) -> list[Config]:
    """At most `rungs` different networks, cheapest first, evenly spread over log FLOPs.

    Each rung takes the nearest of the family's candidates that does not cost more than
    `max_flops`; a range too narrow for so many gives fewer, a family without candidates none.
    """
    candidates = [
        (cost(config).flops, config)
        for config in (family.ladder(task) if family.ladder else ())
        if cost(config).flops <= max_flops
    ]
    chosen: dict[int, Config] = {}
    for aim in _log_spaced(min_flops, max_flops, rungs) if candidates else []:
        flops, config = min(candidates, key=lambda pair: abs(math.log(pair[0] / aim)))
        chosen[flops] = config
    return [chosen[flops] for flops in sorted(chosen)]


def _log_spaced(low: float, high: float, count: int) -> list[float]:
    if count == 1:
        return [math.sqrt(low * high)]
    step = math.log(high / low) / (count - 1)
    return [low * math.exp(step * i) for i in range(count)]
