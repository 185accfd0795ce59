"""From a configuration to the Flax module that computes it."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from space.config import Config, MixerConfig, ViTConfig, unknown_family
from space.mixer import MlpMixer
from space.vit import VisionTransformer


def build(config: Config, dtype: Any = jnp.float32) -> nn.Module:
    """The network of a configuration: `module.apply({"params": params}, images) -> logits`.

    Args:
        config: a Mixer's or a ViT's.
        dtype: of the computation (float32, or bfloat16 on accelerators that have it);
            parameters and logits are float32 always.

    Raises:
        TypeError: a configuration of another family.
    """
    match config:
        case MixerConfig():
            return MlpMixer(config, dtype)
        case ViTConfig():
            return VisionTransformer(config, dtype)
        case _:
            raise unknown_family(config)
