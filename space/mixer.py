"""MLP-Mixer in Flax Linen: Tolstikhin et al. 2021, figure 1 and appendix E.

Parameter names and shapes are those of google-research/vision_transformer
(`vit_jax/models_mixer.py`), so published checkpoints load.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from space.config import MixerConfig
from space.layer_norm import LayerNorm
from space.matmul import matmul
from space.stem import PatchStem


class MlpBlock(nn.Module):
    """Two dense layers with tanh GELU between them, back to the width it came with."""

    mlp_dim: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        y = x.reshape(-1, x.shape[-1])  # one large product is faster than a batch of small ones
        y = nn.gelu(nn.Dense(self.mlp_dim, dtype=self.dtype, dot_general=matmul)(y))
        y = nn.Dense(x.shape[-1], dtype=self.dtype, dot_general=matmul)(y)
        return y.reshape(x.shape)


class MixerBlock(nn.Module):
    """Token mixing, then channel mixing, each normalised before and added after."""

    tokens_mlp_dim: int
    channels_mlp_dim: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        y = LayerNorm()(x)
        y = jnp.swapaxes(y, 1, 2)  # batch, channels, patches
        y = MlpBlock(self.tokens_mlp_dim, self.dtype, name="token_mixing")(y)
        x = x + jnp.swapaxes(y, 1, 2)  # batch, patches, channels
        y = LayerNorm()(x)
        return x + MlpBlock(self.channels_mlp_dim, self.dtype, name="channel_mixing")(y)


_Block = nn.jit(MixerBlock)
"""Traced once a network however many blocks it has: XLA inlines the calls, so it runs the same."""


class MlpMixer(nn.Module):
    """Images in, logits out; the head starts at zero, so the first loss is exactly ln K."""

    config: MixerConfig
    dtype: jnp.dtype = jnp.float32
    """Of the computation; parameters and logits are float32."""

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """Logits.

        Args:
            images: [batch, image_size, image_size, channels], float, normalised.

        Returns:
            [batch, num_classes], float32.
        """
        c = self.config
        x = PatchStem(c.patch_size, c.hidden_dim, self.dtype, name="stem")(images)
        for i in range(c.num_blocks):
            block = _Block(c.tokens_mlp_dim, c.channels_mlp_dim, self.dtype, name=f"MixerBlock_{i}")
            x = block(x)
        x = LayerNorm(name="pre_head_layer_norm")(x)
        x = jnp.mean(x, axis=1, dtype=jnp.float32)  # batch, channels
        return nn.Dense(c.num_classes, kernel_init=nn.initializers.zeros, name="head")(x)
