"""What the parts of a network cost: its layers, summed over the blocks by what they do."""

from __future__ import annotations

import re

from space.config import Config
from space.cost import cost

_WORDS = {
    "stem": "Stem",
    "embedding": "Stem",
    "token_mixing": "Token mixing",
    "channel_mixing": "Channel mixing",
    "MultiHeadDotProductAttention": "Attention",
    "MlpBlock": "MLP",
    "head": "Head",
}

PARTS = tuple(dict.fromkeys(_WORDS.values()))
"""The parts of Mixers and ViTs; what other families have goes by its layers' own names."""


def flops_by_part(config: Config) -> dict[str, int]:
    """FLOPs (2 x MACs, one image, forward) of each part that has some, in the order an image meets
    them first; they add up to the network's.

    Raises:
        UnknownFamilyError: the configuration's family is not registered.
    """
    flops: dict[str, int] = {}
    for layer in cost(config).layers:
        if layer.flops:
            part = part_of(layer.name)
            flops[part] = flops.get(part, 0) + layer.flops
    return flops


def part_of(layer: str) -> str:
    """The part a layer belongs to, by its path in the parameter tree.

    That is what lies in its block, `MixerBlock_3/token_mixing/Dense_0` in `Token mixing`; of a
    layer outside of blocks, the whole.
    """
    inside = re.sub(r"^.*?_\d+/", "", layer)
    name = re.sub(r"_\d+$", "", inside.partition(" ")[0].partition("/")[0])
    return _WORDS.get(name, name.replace("_", " "))
