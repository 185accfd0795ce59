"""Mixers, all but their weights: what they cost, what is searched, how they are called."""

from __future__ import annotations

from space.config import ImageTask, MixerConfig
from space.family import Family, Letter
from space.layer_cost import LayerCost, dense, norm
from space.ranges import Choices, Ranges, Values, fitting_patches, ladder_shapes


class MixerRanges(Ranges):
    """The values each parameter of a Mixer may take."""

    patch_size: Choices | None = None
    hidden_dim: Choices | None = None
    tokens_mlp_dim: Choices | None = None
    channels_mlp_dim: Choices | None = None
    num_blocks: Choices | None = None

    @classmethod
    def fitting(cls, image_size: int) -> dict[str, Values]:
        """Patches that divide the images into 16 to 256 tokens; smaller networks for small ones."""
        small = image_size <= 16
        return {
            "patch_size": fitting_patches(image_size),
            "hidden_dim": (16, 32, 48, 64, 96, 128) if small else (32, 64, 96, 128, 192, 256),
            "tokens_mlp_dim": (8, 16, 32, 64) if small else (16, 32, 64, 128, 256),
            "channels_mlp_dim": (32, 64, 128, 256) if small else (64, 128, 256, 512, 1024),
            "num_blocks": (1, 2, 3, 4, 6) if small else (2, 4, 6, 8, 10, 12),
        }


def mixer_macs(
    task: ImageTask,
    *,
    patch_size: int,
    hidden_dim: int,
    tokens_mlp_dim: int,
    channels_mlp_dim: int,
    num_blocks: int,
) -> int:
    """The MACs of a Mixer from its parameters alone."""
    S, C = (task.image_size // patch_size) ** 2, hidden_dim
    stem = S * C * patch_size**2 * task.image_channels
    block = 2 * S * C * (tokens_mlp_dim + channels_mlp_dim)
    return stem + num_blocks * block + C * task.num_classes


def _layers(config: MixerConfig) -> list[LayerCost]:
    S, C = config.num_patches, config.hidden_dim
    layers = [dense("stem", S, config.patch_size**2 * config.image_channels, C)]
    for i in range(config.num_blocks):
        block = f"MixerBlock_{i}"
        layers += [
            norm(f"{block}/LayerNorm_0", C),
            dense(f"{block}/token_mixing/Dense_0", C, S, config.tokens_mlp_dim),
            dense(f"{block}/token_mixing/Dense_1", C, config.tokens_mlp_dim, S),
            norm(f"{block}/LayerNorm_1", C),
            dense(f"{block}/channel_mixing/Dense_0", S, C, config.channels_mlp_dim),
            dense(f"{block}/channel_mixing/Dense_1", S, config.channels_mlp_dim, C),
        ]
    return [*layers, norm("pre_head_layer_norm", C), dense("head", 1, C, config.num_classes)]


def _activations(config: MixerConfig) -> int:
    """Per block the two normalised inputs, and the hidden layers before and after GELU."""
    S, C = config.num_patches, config.hidden_dim
    block = 4 * S * C + 2 * C * config.tokens_mlp_dim + 2 * S * config.channels_mlp_dim
    return config.num_blocks * block + 2 * S * C


def _ladder(task: ImageTask) -> list[MixerConfig]:
    """Token MLPs half as wide as the tokens, channel MLPs four times, as published (table 1)."""
    return [
        MixerConfig(
            **task.model_dump(),
            patch_size=patch_size,
            hidden_dim=hidden_dim,
            num_blocks=num_blocks,
            tokens_mlp_dim=hidden_dim // 2,
            channels_mlp_dim=4 * hidden_dim,
        )
        for patch_size, hidden_dim, num_blocks in ladder_shapes(task.image_size)
    ]


MIXER = Family(
    config=MixerConfig,
    label="Mixer",
    color="#0072B2",
    layers=_layers,
    activations=_activations,
    letters=(
        Letter("p", "patch_size", "pixels a side of a patch"),
        Letter("C", "hidden_dim", "channels of a token"),
        Letter("L", "num_blocks", "blocks"),
        Letter("T", "tokens_mlp_dim", "hidden size of the MLP that mixes tokens"),
        Letter("D", "channels_mlp_dim", "hidden size of the MLP that mixes channels"),
    ),
    ranges=MixerRanges,
    grows_with=frozenset({"hidden_dim", "tokens_mlp_dim", "channels_mlp_dim", "num_blocks"}),
    macs=mixer_macs,
    ladder=_ladder,
)
"""MLP-Mixers (Tolstikhin et al. 2021)."""
