"""A family of another package: an image cut into patches, then one MLP over all of them.

All but what trains it: no JAX. Its entry points are in the folder beside this file, where pip
would write them.
"""

from __future__ import annotations

from typing import Literal

import pydantic
from pydantic import PositiveInt

from space.config import Config, ImageTask
from space.errors import ConfigError
from space.family import Family, Letter
from space.layer_cost import LayerCost, dense
from space.ranges import Choices, Ranges, Values, fitting_patches


class PatchMlpConfig(Config):
    family: Literal["patch_mlp"] = "patch_mlp"
    patch_size: PositiveInt
    hidden_dim: PositiveInt
    """Of a patch; the MLP sees those of all patches in a row."""
    mlp_dim: PositiveInt

    @pydantic.model_validator(mode="after")
    def _patches_tile_the_image(self) -> PatchMlpConfig:
        if self.image_size % self.patch_size:
            raise ConfigError(
                f"patch_size={self.patch_size} does not tile image_size={self.image_size}; "
                "use one of its divisors"
            )
        return self

    @property
    def num_patches(self) -> int:
        return (self.image_size // self.patch_size) ** 2


class PatchMlpRanges(Ranges):
    patch_size: Choices | None = None
    hidden_dim: Choices | None = None
    mlp_dim: Choices | None = None

    @classmethod
    def fitting(cls, image_size: int) -> dict[str, Values]:
        return {
            "patch_size": fitting_patches(image_size),
            "hidden_dim": (4, 8, 16),
            "mlp_dim": (16, 32, 64),
        }


def layers(config: PatchMlpConfig) -> list[LayerCost]:
    S, C = config.num_patches, config.hidden_dim
    return [
        dense("stem", S, config.patch_size**2 * config.image_channels, C),
        dense("hidden", 1, S * C, config.mlp_dim),
        dense("head", 1, config.mlp_dim, config.num_classes),
    ]


def activations(config: PatchMlpConfig) -> int:
    return config.num_patches * config.hidden_dim + 2 * config.mlp_dim


def ladder(task: ImageTask) -> list[PatchMlpConfig]:
    return [
        PatchMlpConfig(**task.model_dump(), patch_size=p, hidden_dim=8, mlp_dim=32)
        for p in fitting_patches(task.image_size)
    ]


PATCH_MLP = Family(
    config=PatchMlpConfig,
    label="Patch MLP",
    color="#009E73",
    layers=layers,
    activations=activations,
    letters=(
        Letter("p", "patch_size", "pixels a side of a patch"),
        Letter("C", "hidden_dim", "channels of a patch"),
        Letter("D", "mlp_dim", "hidden size of the MLP"),
    ),
    ranges=PatchMlpRanges,
    grows_with=frozenset({"hidden_dim", "mlp_dim"}),
    ladder=ladder,
)
