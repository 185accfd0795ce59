"""Configurations: the architectures that can be built, valid from birth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import pydantic
from pydantic import ConfigDict, Field, PositiveInt

from space.errors import ConfigError


class Frozen(pydantic.BaseModel):
    """Immutable, keyword-only, no unknown fields, no silent conversions, no infinity and no NaN.

    The last two are no JSON, which is how all of them are stored.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class ImageTask(Frozen):
    """What a network sees and must say: square images of `image_size` pixels a side, K classes."""

    image_size: PositiveInt
    image_channels: Literal[1, 3]
    num_classes: Annotated[int, Field(ge=2)]


class Config(ImageTask):
    """What the configurations of all families are: a subclass has a field `family`.

    Of that field there is one value, the family's name: `family: Literal["mixer"] = "mixer"`. The
    other fields are the family's own; numbers and strings, so that JSON gives back what it was
    given. `space.families` has all families.
    """

    if TYPE_CHECKING:  # no field here, else it would come before the others in all that is stored
        family: str

    @property
    def task(self) -> ImageTask:
        """The task this network was made for."""
        return ImageTask(
            image_size=self.image_size,
            image_channels=self.image_channels,
            num_classes=self.num_classes,
        )


class PatchNetwork(Config):
    """Fields common to Mixers and ViTs: an image cut into patches, then equal blocks."""

    patch_size: PositiveInt
    hidden_dim: PositiveInt
    num_blocks: PositiveInt

    @pydantic.model_validator(mode="after")
    def _patches_tile_the_image(self) -> PatchNetwork:
        if self.image_size % self.patch_size:
            raise ConfigError(
                f"patch_size={self.patch_size} does not tile image_size={self.image_size}; "
                f"use one of {', '.join(map(str, divisors(self.image_size)))}"
            )
        return self

    @property
    def num_patches(self) -> int:
        """S, the number of tokens an image is cut into (a ViT's class token not counted)."""
        return (self.image_size // self.patch_size) ** 2


class MixerConfig(PatchNetwork):
    """An MLP-Mixer (Tolstikhin et al. 2021, section 2; names as in `vit_jax/models_mixer.py`).

    Raises:
        ConfigError: `patch_size` does not divide `image_size`.
        pydantic.ValidationError: a field is missing, unknown, of the wrong type or not positive.
    """

    family: Literal["mixer"] = "mixer"
    tokens_mlp_dim: PositiveInt
    channels_mlp_dim: PositiveInt


class ViTConfig(PatchNetwork):
    """A Vision Transformer (Dosovitskiy et al. 2021; names as in `vit_jax/models_vit.py`).

    `classifier` is where the head reads: a class `token`, or the mean of all tokens (`gap`).

    Raises:
        ConfigError: `patch_size` does not divide `image_size`, or `num_heads` not `hidden_dim`.
        pydantic.ValidationError: a field is missing, unknown, of the wrong type or not positive.
    """

    family: Literal["vit"] = "vit"
    mlp_dim: PositiveInt
    num_heads: PositiveInt
    classifier: Literal["token", "gap"] = "token"

    @pydantic.model_validator(mode="after")
    def _heads_split_the_channels(self) -> ViTConfig:
        if self.hidden_dim % self.num_heads:
            raise ConfigError(
                f"num_heads={self.num_heads} does not divide hidden_dim={self.hidden_dim}; "
                f"use one of {', '.join(map(str, divisors(self.hidden_dim)))}"
            )
        return self

    @property
    def num_tokens(self) -> int:
        """T, the length of the sequence attention sees: the patches and the class token if any."""
        return self.num_patches + (self.classifier == "token")


def divisors(number: int) -> list[int]:
    """All positive divisors, ascending."""
    return [d for d in range(1, number + 1) if number % d == 0]
