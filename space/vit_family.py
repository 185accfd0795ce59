"""Vision Transformers, all but their weights: what they cost, what is searched, how called."""

from __future__ import annotations

from typing import Any, ClassVar

from space.config import ImageTask, ViTConfig
from space.family import Constraint, Family, Letter
from space.layer_cost import LayerCost, dense, norm
from space.ranges import Choices, Ranges, Values, fitting_patches, ladder_shapes

_HEAD_DIM = 32
_MLP_RATIO = 2  # as in the small ViTs of Hassani et al. 2021, "Escaping the Big Data Paradigm"


class ViTRanges(Ranges):
    """The values each parameter of a ViT may take; heads that do not divide the channels are left
    out.

    The head reads the mean of all tokens: the better choice for small images.
    """

    fixed: ClassVar[dict[str, Any]] = {"classifier": "gap"}

    patch_size: Choices | None = None
    hidden_dim: Choices | None = None
    num_blocks: Choices | None = None
    mlp_dim: Choices | None = None
    num_heads: Choices | None = None

    @classmethod
    def fitting(cls, image_size: int) -> dict[str, Values]:
        """Patches that divide the images into 16 to 256 tokens; smaller networks for small ones."""
        small = image_size <= 16
        return {
            "patch_size": fitting_patches(image_size),
            "hidden_dim": (16, 32, 48, 64, 96, 128) if small else (32, 64, 96, 128, 192, 256),
            "num_blocks": (1, 2, 3, 4, 6) if small else (2, 4, 6, 8, 10, 12),
            "mlp_dim": (32, 64, 128, 256) if small else (64, 128, 256, 512, 1024),
            "num_heads": (1, 2, 4) if small else (1, 2, 4, 8),
        }


def vit_macs(
    task: ImageTask,
    *,
    patch_size: int,
    hidden_dim: int,
    num_blocks: int,
    mlp_dim: int,
    num_heads: int,
) -> int:
    """The MACs of a ViT without a class token from its parameters alone, whatever its heads."""
    T, C = (task.image_size // patch_size) ** 2, hidden_dim
    stem = T * C * patch_size**2 * task.image_channels
    block = 4 * T * C * C + 2 * T * T * C + 2 * T * C * mlp_dim
    return stem + num_blocks * block + C * task.num_classes


def _heads_divide(hidden_dim: int, num_heads: int) -> bool:
    return hidden_dim % num_heads == 0


def _layers(config: ViTConfig) -> list[LayerCost]:
    S, T, C = config.num_patches, config.num_tokens, config.hidden_dim
    layers = [dense("embedding", S, config.patch_size**2 * config.image_channels, C)]
    if config.classifier == "token":
        layers.append(LayerCost(name="cls", params=C, macs=0))
    layers.append(LayerCost(name="Transformer/posembed_input", params=T * C, macs=0))
    for i in range(config.num_blocks):
        block = f"Transformer/encoderblock_{i}"
        attention = f"{block}/MultiHeadDotProductAttention_0"
        layers += [
            norm(f"{block}/LayerNorm_0", C),
            *(dense(f"{attention}/{name}", T, C, C) for name in ("query", "key", "value")),
            LayerCost(name=f"{attention} (products)", params=0, macs=2 * T * T * C),
            dense(f"{attention}/out", T, C, C),
            norm(f"{block}/LayerNorm_1", C),
            dense(f"{block}/MlpBlock_0/Dense_0", T, C, config.mlp_dim),
            dense(f"{block}/MlpBlock_0/Dense_1", T, config.mlp_dim, C),
        ]
    return [*layers, norm("Transformer/encoder_norm", C), dense("head", 1, C, config.num_classes)]


def _activations(config: ViTConfig) -> int:
    """Per block the two normalised inputs, queries, keys, values, attention weights, and the hidden
    layer before and after GELU."""
    S, T, C = config.num_patches, config.num_tokens, config.hidden_dim
    block = 8 * T * C + 2 * config.num_heads * T * T + 2 * T * config.mlp_dim
    return config.num_blocks * block + 2 * S * C


def _ladder(task: ImageTask) -> list[ViTConfig]:
    """No class token, heads of 32 channels (or one of 16), MLPs twice as wide as the tokens, depth
    and patch in the proportions small ViTs are published with."""
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
        for patch_size, hidden_dim, num_blocks in ladder_shapes(task.image_size)
    ]


VIT = Family(
    config=ViTConfig,
    label="ViT",
    color="#D55E00",
    layers=_layers,
    activations=_activations,
    letters=(
        Letter("p", "patch_size", "pixels a side of a patch"),
        Letter("C", "hidden_dim", "channels of a token"),
        Letter("L", "num_blocks", "blocks"),
        Letter("D", "mlp_dim", "hidden size of the MLP, which mixes channels"),
        Letter("H", "num_heads", "heads of attention"),
    ),
    ranges=ViTRanges,
    constraint=Constraint(("hidden_dim", "num_heads"), _heads_divide),
    grows_with=frozenset({"num_blocks", "mlp_dim"}),
    macs=vit_macs,
    ladder=_ladder,
)
"""Vision Transformers (Dosovitskiy et al. 2021)."""
