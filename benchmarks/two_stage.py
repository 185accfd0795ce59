"""A family with seven parameters: Mixers of two stages, with a merging of patches between them.

Only its costs are used, by `generated.py`: the networks are never built. The arithmetic is that of
`space.mixer_family` for each stage, and of a dense layer from four merged patches to one.
"""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveInt

from space.config import Config, ImageTask
from space.family import Family, Letter
from space.layer_cost import LayerCost, dense
from space.ranges import Choices, Ranges, Values


class TwoStageConfig(Config):
    """Two stages of Mixer blocks; the second sees a quarter of the tokens."""

    family: Literal["two_stage_mixer"] = "two_stage_mixer"
    patch_size: PositiveInt
    first_dim: PositiveInt
    second_dim: PositiveInt
    first_blocks: PositiveInt
    second_blocks: PositiveInt
    tokens_mlp_dim: PositiveInt
    channels_ratio: PositiveInt
    """Hidden channels of a channel MLP over the channels of its stage."""


class TwoStageRanges(Ranges):
    """The values each parameter may take."""

    patch_size: Choices | None = None
    first_dim: Choices | None = None
    second_dim: Choices | None = None
    first_blocks: Choices | None = None
    second_blocks: Choices | None = None
    tokens_mlp_dim: Choices | None = None
    channels_ratio: Choices | None = None

    @classmethod
    def fitting(cls, image_size: int) -> dict[str, Values]:
        """51,840 members, for images of 32 pixels a side."""
        return {
            "patch_size": (2, 4),
            "first_dim": (16, 24, 32, 48, 64, 96),
            "second_dim": (32, 48, 64, 96, 128, 192),
            "first_blocks": (1, 2, 3, 4, 6, 8),
            "second_blocks": (1, 2, 3, 4, 6, 8),
            "tokens_mlp_dim": (16, 32, 64, 128),
            "channels_ratio": (1, 2, 3, 4, 6),
        }


def two_stage_macs(
    task: ImageTask,
    *,
    patch_size: int,
    first_dim: int,
    second_dim: int,
    first_blocks: int,
    second_blocks: int,
    tokens_mlp_dim: int,
    channels_ratio: int,
) -> int:
    """The MACs from the parameters alone."""
    tokens = (task.image_size // patch_size) ** 2
    stem = tokens * first_dim * patch_size**2 * task.image_channels
    first = 2 * tokens * first_dim * (tokens_mlp_dim + channels_ratio * first_dim)
    merged = tokens // 4
    merging = merged * 4 * first_dim * second_dim
    second = 2 * merged * second_dim * (tokens_mlp_dim + channels_ratio * second_dim)
    head = second_dim * task.num_classes
    return stem + first_blocks * first + merging + second_blocks * second + head


def _layers(config: TwoStageConfig) -> list[LayerCost]:
    tokens = (config.image_size // config.patch_size) ** 2
    first, second = config.first_dim, config.second_dim
    return [
        dense("stem", tokens, config.patch_size**2 * config.image_channels, first),
        *_blocks(config, "first", tokens, first, config.first_blocks),
        dense("merging", tokens // 4, 4 * first, second),
        *_blocks(config, "second", tokens // 4, second, config.second_blocks),
        dense("head", 1, second, config.num_classes),
    ]


def _blocks(
    config: TwoStageConfig, stage: str, tokens: int, channels: int, count: int
) -> list[LayerCost]:
    hidden = config.channels_ratio * channels
    return count * [
        dense(f"{stage}/tokens_0", channels, tokens, config.tokens_mlp_dim),
        dense(f"{stage}/tokens_1", channels, config.tokens_mlp_dim, tokens),
        dense(f"{stage}/channels_0", tokens, channels, hidden),
        dense(f"{stage}/channels_1", tokens, hidden, channels),
    ]


TWO_STAGE = Family(
    config=TwoStageConfig,
    label="Two-stage Mixer",
    color="#CC79A7",
    layers=_layers,
    activations=lambda config: 0,
    letters=(
        Letter("p", "patch_size", "pixels a side of a patch"),
        Letter("C", "first_dim", "channels of the first stage"),
        Letter("E", "second_dim", "channels of the second stage"),
        Letter("L", "first_blocks", "blocks of the first stage"),
        Letter("M", "second_blocks", "blocks of the second stage"),
        Letter("T", "tokens_mlp_dim", "hidden units of the token MLPs"),
        Letter("r", "channels_ratio", "hidden channels over channels"),
    ),
    ranges=TwoStageRanges,
    grows_with=frozenset(TwoStageRanges.model_fields) - {"patch_size"},
    macs=two_stage_macs,
)
