"""Trained networks at larger images: the same tokens by larger patches, or more tokens.

A Mixer is tied to its number of tokens, since its token-mixing kernels have one row a token; a ViT
is tied by its position embeddings. Both functions take a configuration and its parameter tree, and
give those of the network for images of another size; NumPy alone computes them. What a larger
network says of images that the small one can see is known, and tested:

- `enlarge_patch`: what the small network says of the image shrunk patch by patch, by the triangle
  filter that is the transpose of bilinear enlargement. For images of one colour a patch that is
  the small image itself.
- `expand` of a Mixer: the mean of the logits that the small network gives for the K^2 images the
  large one is made of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from space.config import Config, MixerConfig, PatchNetwork, ViTConfig
from space.errors import ConfigError
from space.families import parse_config

Tokens = Literal["strided", "tiles"]
"""Which tokens of a large image a copy of the small network sees: every K-th of each row and
column, so that each copy sees the whole scene; or those of one of K x K tiles."""

STEMS = {"mixer": "stem", "vit": "embedding"}
"""The name of the first layer, by family."""


class ImageSizeError(ConfigError):
    """A network cannot be carried over to images of that size."""


def enlarge_patch(
    config: Config, params: Mapping[str, Any], image_size: int
) -> tuple[Config, dict[str, Any]]:
    """The same tokens from larger images: the patch grows with the image.

    The kernel of the stem is enlarged bilinearly, pixels at the middle of their squares as in
    `jax.image.resize`, and divided by the ratio of the areas; all else stays.

    Args:
        config: of a trained Mixer or ViT.
        params: its parameter tree, leaves arrays.
        image_size: not less than the network's, and a multiple of its patches a side.

    Raises:
        ImageSizeError: the image size or the family does not allow it.
    """
    config = _patch_network(config, image_size)
    grid = config.image_size // config.patch_size
    if image_size % grid:
        raise ImageSizeError(
            f"image_size={image_size} cannot be cut into the {grid} patches a side of this "
            f"network; use {_multiples(grid, image_size)}"
        )
    patch_size = image_size // grid
    name = STEMS[config.family]
    axis = _bilinear(config.patch_size, patch_size, corners=False)
    kernel = np.asarray(params[name]["kernel"], np.float64)  # p, p, channels, hidden_dim
    kernel = np.einsum("yi,xj,ijcd->yxcd", axis, axis, kernel)
    kernel *= (config.patch_size / patch_size) ** 2
    stem = dict(params[name]) | {"kernel": kernel.astype(np.float32)}
    return _changed(config, image_size=image_size, patch_size=patch_size), {**params, name: stem}


def expand(
    config: Config, params: Mapping[str, Any], image_size: int, tokens: Tokens = "strided"
) -> tuple[Config, dict[str, Any]]:
    """More tokens from larger images, at the same patch size.

    A Mixer for images K times as large has K^2 copies of every token MLP side by side, as one MLP
    with block-diagonal kernels, K^2 as wide (Tolstikhin et al. 2021, appendix C): K^4 times as
    many numbers. A ViT has its position embeddings enlarged bilinearly, corners on corners, as
    `load_pretrained` of `vit_jax/checkpoint.py` does.

    Args:
        config: of a trained Mixer or ViT.
        params: its parameter tree, leaves arrays.
        image_size: not less than the network's; of a Mixer a multiple of that, of a ViT a multiple
            of the patch size.
        tokens: which ones a copy sees; a ViT has no copies.

    Raises:
        ImageSizeError: the image size or the family does not allow it.
    """
    config = _patch_network(config, image_size)
    if isinstance(config, ViTConfig):
        return _expanded_vit(config, params, image_size)
    assert isinstance(config, MixerConfig), "it is one of the two"
    ratio, rest = divmod(image_size, config.image_size)
    if rest:
        raise ImageSizeError(
            f"image_size={image_size} is no multiple of the {config.image_size} pixels this Mixer "
            f"was trained on, so its token MLPs cannot be copied; use "
            f"{_multiples(config.image_size, image_size)}, or larger patches"
        )
    places = _places(config.image_size // config.patch_size, ratio, tokens)
    blocks = {
        name: dict(block) | {"token_mixing": _copied(block["token_mixing"], ratio**2, places)}
        for name, block in params.items()
        if name.startswith("MixerBlock_")
    }
    width = config.tokens_mlp_dim * ratio**2
    return _changed(config, image_size=image_size, tokens_mlp_dim=width), {**params, **blocks}


def _copied(mlp: Mapping[str, Any], copies: int, places: npt.NDArray[np.intp]) -> dict[str, Any]:
    """Copies of a token MLP as one with block-diagonal kernels, tokens in raster order."""
    first, second = mlp["Dense_0"], mlp["Dense_1"]
    eye = np.eye(copies, dtype=np.float32)
    return {
        "Dense_0": {
            "kernel": np.kron(eye, np.asarray(first["kernel"]))[places],
            "bias": np.tile(np.asarray(first["bias"]), copies),
        },
        "Dense_1": {
            "kernel": np.kron(eye, np.asarray(second["kernel"]))[:, places],
            "bias": np.tile(np.asarray(second["bias"]), copies)[places],
        },
    }


def _places(grid: int, ratio: int, tokens: Tokens) -> npt.NDArray[np.intp]:
    """For every token of the large grid in raster order: its place where copy follows copy."""
    large = np.arange((grid * ratio) ** 2)
    match tokens:
        case "strided":  # row, copy row, column, copy column
            copies = large.reshape(grid, ratio, grid, ratio).transpose(1, 3, 0, 2)
        case "tiles":  # copy row, row, copy column, column
            copies = large.reshape(ratio, grid, ratio, grid).transpose(0, 2, 1, 3)
    return np.argsort(copies.ravel())


def _expanded_vit(
    config: ViTConfig, params: Mapping[str, Any], image_size: int
) -> tuple[Config, dict[str, Any]]:
    if image_size % config.patch_size:
        raise ImageSizeError(
            f"image_size={image_size} cannot be cut into this ViT's patches of "
            f"{config.patch_size} pixels; use {_multiples(config.patch_size, image_size)}"
        )
    grid, large = config.image_size // config.patch_size, image_size // config.patch_size
    transformer = params["Transformer"]
    table = np.asarray(transformer["posembed_input"]["pos_embedding"], np.float64)[0]
    first = config.num_tokens - config.num_patches  # the class token's, if any
    axis = _bilinear(grid, large, corners=True)
    patches = table[first:].reshape(grid, grid, -1)
    patches = np.einsum("yi,xj,ijd->yxd", axis, axis, patches).reshape(large**2, -1)
    table = np.concatenate([table[:first], patches]).astype(np.float32)[None]
    transformer = {**transformer, "posembed_input": {"pos_embedding": table}}
    return _changed(config, image_size=image_size), {**params, "Transformer": transformer}


def _bilinear(old: int, new: int, *, corners: bool) -> npt.NDArray[np.float64]:
    """[new, old]: the weights that enlarge an axis; rows sum to 1.

    With `corners` the ends lie on the ends; else the edges do, and the ends repeat beyond theirs.
    """
    if corners:
        at = np.linspace(0, old - 1, new)
    else:
        at = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    distance = np.abs(at[:, None] - np.arange(old)[None])
    weights: npt.NDArray[np.float64] = np.maximum(0, 1 - distance)
    return weights


def _patch_network(config: Config, image_size: int) -> PatchNetwork:
    if not isinstance(config, MixerConfig | ViTConfig):
        raise ImageSizeError(
            f"networks of family {config.family!r} are not carried over to other image sizes; "
            "train one for that size"
        )
    if image_size < config.image_size:
        raise ImageSizeError(
            f"image_size={image_size} is less than the {config.image_size} pixels this network was "
            f"trained on; have the images enlarged to {config.image_size} instead"
        )
    return config


def _changed(config: Config, **fields: Any) -> Config:
    return parse_config(config.model_dump() | fields)


def _multiples(number: int, near: int) -> str:
    """`32 or 64`: those below and above."""
    below = near // number * number
    return f"{below} or {below + number}"
