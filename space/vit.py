"""Vision Transformer in Flax Linen: Dosovitskiy et al. 2021, section 3.1.

Parameter names, shapes and initialisers are those of google-research/vision_transformer
(`vit_jax/models_vit.py`), without dropout.
"""

from __future__ import annotations

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp

from space.config import ViTConfig
from space.layer_norm import LayerNorm
from space.matmul import matmul
from space.stem import PatchStem

_XAVIER = nn.initializers.xavier_uniform()


class AddPositionEmbs(nn.Module):
    """Adds a learned vector to every token."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (1, x.shape[1], x.shape[2])
        table = self.param("pos_embedding", nn.initializers.normal(stddev=0.02), shape)
        return x + table.astype(x.dtype)


class MlpBlock(nn.Module):
    """Two dense layers with tanh GELU between them, back to the width it came with."""

    mlp_dim: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        dense = partial(
            nn.Dense,
            dtype=self.dtype,
            kernel_init=_XAVIER,
            bias_init=nn.initializers.normal(stddev=1e-6),
            dot_general=matmul,
        )
        y = x.reshape(-1, x.shape[-1])  # one large product is faster than a batch of small ones
        y = nn.gelu(dense(self.mlp_dim)(y))
        return dense(x.shape[-1])(y).reshape(x.shape)


class Encoder1DBlock(nn.Module):
    """Self-attention, then an MLP, each normalised before and added after."""

    mlp_dim: int
    num_heads: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        y = LayerNorm()(x)
        attention = nn.MultiHeadDotProductAttention(
            num_heads=self.num_heads,
            dtype=self.dtype,
            kernel_init=_XAVIER,
            deterministic=True,
            name="MultiHeadDotProductAttention_0",
        )
        x = x + attention(y)
        y = LayerNorm()(x)
        return x + MlpBlock(self.mlp_dim, self.dtype)(y)


_Block = nn.jit(Encoder1DBlock)
"""Traced once a network however many blocks it has: XLA inlines the calls, so it runs the same."""


class Encoder(nn.Module):
    """Position embedding, blocks, and a last norm."""

    config: ViTConfig
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        c = self.config
        x = AddPositionEmbs(name="posembed_input")(x)
        for i in range(c.num_blocks):
            x = _Block(c.mlp_dim, c.num_heads, self.dtype, name=f"encoderblock_{i}")(x)
        return LayerNorm(name="encoder_norm")(x)


class VisionTransformer(nn.Module):
    """Images in, logits out; the head starts at zero, so the first loss is exactly ln K."""

    config: ViTConfig
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
        x = PatchStem(c.patch_size, c.hidden_dim, self.dtype, name="embedding")(images)
        if c.classifier == "token":
            token = self.param("cls", nn.initializers.zeros, (1, 1, c.hidden_dim))
            token = jnp.broadcast_to(token.astype(x.dtype), (x.shape[0], 1, c.hidden_dim))
            x = jnp.concatenate([token, x], axis=1)  # batch, 1 + patches, channels
        x = Encoder(c, self.dtype, name="Transformer")(x)
        x = x[:, 0] if c.classifier == "token" else jnp.mean(x, axis=1, dtype=jnp.float32)
        head = nn.Dense(c.num_classes, kernel_init=nn.initializers.zeros, name="head")
        return head(x.astype(jnp.float32))
