"""ViT baselines: a ladder of Vision Transformers over a range of FLOPs, or of another cost."""

from __future__ import annotations

import math
from itertools import product

from space.config import ImageTask, ViTConfig
from space.costs import FLOPS, Cost
from space.search_space import fitting_space

_HEAD_DIM = 32
_MLP_RATIO = 2  # as in the small ViTs of Hassani et al. 2021, "Escaping the Big Data Paradigm"


def vit_ladder(
    task: ImageTask,
    *,
    min_cost: float,
    max_cost: float,
    rungs: int,
    cost: Cost = FLOPS,
    max_flops: float = math.inf,
) -> list[ViTConfig]:
    """At most `rungs` different ViTs, cheapest first, evenly spread over the cost's logarithm.

    Candidates pool their tokens (no class token, the better choice for small images), have
    heads of 32 channels (or one of 16), MLPs twice as wide as the tokens, and depth and patch in
    the proportions small ViTs are published with. Each rung takes the nearest candidate that costs
    at most `max_cost` and has at most `max_flops`; a range too narrow for so many gives fewer.
    """
    candidates = [
        (value, config)
        for config in _candidates(task)
        if (value := cost(config)) <= max_cost
        and (max_flops == math.inf or FLOPS(config) <= max_flops)
    ]
    chosen: dict[float, ViTConfig] = {}
    for aim in _log_spaced(min_cost, max_cost, rungs) if candidates else []:
        value, config = min(candidates, key=lambda pair: abs(math.log(pair[0] / aim)))
        chosen[value] = config
    return [chosen[value] for value in sorted(chosen)]


def _candidates(task: ImageTask) -> list[ViTConfig]:
    patches = fitting_space(task.image_size).patch_size
    return [
        ViTConfig(
            **task.model_dump(),
            patch_size=patch_size,
            hidden_dim=hidden_dim,
            num_blocks=num_blocks,
            mlp_dim=_MLP_RATIO * hidden_dim,
            num_heads=max(1, hidden_dim // _HEAD_DIM),
            classifier="gap",
        )
        for patch_size, hidden_dim in product(patches, (16, 32, 64, 96, 128, 192, 256, 384, 512))
        for num_blocks in (1, 2, 4, 6, 8, 12)
        if hidden_dim // 32 <= num_blocks <= max(2, hidden_dim // 16)
    ]


def _log_spaced(low: float, high: float, count: int) -> list[float]:
    if count == 1:
        return [math.sqrt(low * high)]
    step = math.log(high / low) / (count - 1)
    return [low * math.exp(step * i) for i in range(count)]
