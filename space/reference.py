"""What the networks compute, in NumPy alone: to use their weights without JAX, and to check others.

Written from the papers and the published modules, not from ours: Tolstikhin et al. 2021 (figure 1),
Dosovitskiy et al. 2021 (section 3.1), google-research/vision_transformer `vit_jax/models_mixer.py`
and `vit_jax/models_vit.py`. It is for tens of images, and many times slower than the programs that
train.

    preset = space.presets.load("winner/")
    pixels = (images - preset.trained.pixel_mean) / preset.trained.pixel_std
    logits(preset.config, preset.params(), pixels)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from space.config import Config, MixerConfig, PatchNetwork, ViTConfig
from space.errors import ConfigError

Floats = npt.NDArray[np.floating[Any]]

EPSILON = 1e-6
"""Added to the variance in a norm, as published."""


def logits(
    config: Config,
    params: Mapping[str, Any],
    images: npt.ArrayLike,
    dtype: npt.DTypeLike = np.float32,
) -> Floats:
    """Logits of a network.

    Args:
        config: of a family in `NETWORKS`.
        params: its parameter tree, as `Preset.params()` gives it.
        images: [n, size, size, channels], normalised as those it was trained on.
        dtype: of the computation, float32 or float64.

    Returns:
        [n, num_classes] of that type.

    Raises:
        ConfigError: its family is not in `NETWORKS`.
    """
    if config.family not in NETWORKS:
        raise ConfigError(
            f"family {config.family!r} has no reference in NumPy, which knows "
            f"{' and '.join(NETWORKS)}; compute its logits with space.build.build"
        )
    tree = {name: _as_type(branch, dtype) for name, branch in params.items()}
    return NETWORKS[config.family](config, tree, np.asarray(images, dtype))


def _mixer(config: MixerConfig, params: dict[str, Any], images: Floats) -> Floats:
    x = _patches(config, images) @ _matrix(params["stem"]) + params["stem"]["bias"]
    for i in range(config.num_blocks):
        block = params[f"MixerBlock_{i}"]
        y = _norm(block["LayerNorm_0"], x).swapaxes(1, 2)  # n, channels, patches
        x = x + _mlp(block["token_mixing"], y).swapaxes(1, 2)  # n, patches, channels
        x = x + _mlp(block["channel_mixing"], _norm(block["LayerNorm_1"], x))
    x = _norm(params["pre_head_layer_norm"], x)
    return _dense(params["head"], x.mean(1))


def _vit(config: ViTConfig, params: dict[str, Any], images: Floats) -> Floats:
    encoder = params["Transformer"]
    x = _patches(config, images) @ _matrix(params["embedding"]) + params["embedding"]["bias"]
    if config.classifier == "token":
        token = np.broadcast_to(params["cls"], (len(x), 1, config.hidden_dim))
        x = np.concatenate([token, x], axis=1)  # n, 1 + patches, channels
    x = x + encoder["posembed_input"]["pos_embedding"]
    for i in range(config.num_blocks):
        block = encoder[f"encoderblock_{i}"]
        attention = block["MultiHeadDotProductAttention_0"]
        x = x + _attention(attention, _norm(block["LayerNorm_0"], x))
        x = x + _mlp(block["MlpBlock_0"], _norm(block["LayerNorm_1"], x))
    x = _norm(encoder["encoder_norm"], x)
    return _dense(params["head"], x[:, 0] if config.classifier == "token" else x.mean(1))


NETWORKS: dict[str, Callable[[Any, dict[str, Any], Floats], Floats]] = {
    "mixer": _mixer,
    "vit": _vit,
}
"""By the name of the family."""


def _as_type(tree: Any, dtype: npt.DTypeLike) -> Any:
    if isinstance(tree, Mapping):
        return {name: _as_type(branch, dtype) for name, branch in tree.items()}
    return np.asarray(tree, dtype)


def _patches(config: PatchNetwork, images: Floats) -> Floats:
    """[n, size, size, channels] -> [n, patches, pixels of a patch], both row by row."""
    p, grid = config.patch_size, config.image_size // config.patch_size
    x = images.reshape(len(images), grid, p, grid, p, config.image_channels)
    return x.swapaxes(2, 3).reshape(len(images), grid * grid, -1)


def _matrix(stem: dict[str, Any]) -> Floats:
    """The kernel [p, p, channels, hidden_dim] of the patch embedding as one matrix."""
    kernel: Floats = stem["kernel"]
    return kernel.reshape(-1, kernel.shape[-1])


def _dense(layer: dict[str, Any], x: Floats) -> Floats:
    y: Floats = x @ layer["kernel"] + layer["bias"]
    return y


def _norm(layer: dict[str, Any], x: Floats) -> Floats:
    """Ba et al. 2016, over the channels."""
    centred = x - x.mean(-1, keepdims=True)
    variance = np.mean(centred * centred, -1, keepdims=True)
    y: Floats = centred / np.sqrt(variance + EPSILON) * layer["scale"] + layer["bias"]
    return y


def _mlp(layers: dict[str, Any], x: Floats) -> Floats:
    return _dense(layers["Dense_1"], _gelu(_dense(layers["Dense_0"], x)))


def _gelu(x: Floats) -> Floats:
    """The tanh approximation (Hendrycks & Gimpel 2016, section 2), which Flax computes."""
    y: Floats = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    return y


def _attention(layer: dict[str, Any], x: Floats) -> Floats:
    """Vaswani et al. 2017, section 3.2.2."""

    def heads(name: str) -> Floats:
        kernel, bias = layer[name]["kernel"], layer[name]["bias"]  # channels, heads, head; ...
        y: Floats = (x @ kernel.reshape(len(kernel), -1)).reshape(*x.shape[:2], *bias.shape) + bias
        return y.swapaxes(1, 2)  # n, heads, tokens, head

    query, key, value = heads("query"), heads("key"), heads("value")
    scores = query @ key.swapaxes(2, 3) / math.sqrt(query.shape[-1])  # n, heads, tokens, tokens
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    y = (weights @ value).swapaxes(1, 2).reshape(x.shape)
    kernel = layer["out"]["kernel"]  # heads, head, channels
    out: Floats = y @ kernel.reshape(-1, kernel.shape[-1]) + layer["out"]["bias"]
    return out
