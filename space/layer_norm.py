"""Layer normalisation with its gradient written out: fewer kernels to compile and to run."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

EPSILON = 1e-6
"""Added to the variance, as published for Mixer and ViT."""

Saved = tuple[jax.Array, jax.Array, jax.Array, jax.Array]
"""Input, mean, inverse of the standard deviation, scale."""


class LayerNorm(nn.Module):
    """`nn.LayerNorm` over the channels: same parameters, same numbers (Ba et al. 2016)."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[batch, tokens, channels] -> the same shape and type; statistics are float32."""
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],))
        bias = self.param("bias", nn.initializers.zeros, (x.shape[-1],))
        return _normalise(x, scale, bias)


@jax.custom_vjp
def _normalise(x: jax.Array, scale: jax.Array, bias: jax.Array) -> jax.Array:
    return _forward(x, scale, bias)[0]


def _forward(x: jax.Array, scale: jax.Array, bias: jax.Array) -> tuple[jax.Array, Saved]:
    wide = x.astype(jnp.float32)
    mean = jnp.mean(wide, -1, keepdims=True)
    variance = jnp.maximum(jnp.mean(wide * wide, -1, keepdims=True) - mean * mean, 0.0)
    inverse = jax.lax.rsqrt(variance + EPSILON)  # of the standard deviation
    y = (wide - mean) * inverse * scale[None, None] + bias[None, None]
    return y.astype(x.dtype), (x, mean, inverse, scale)


def _backward(saved: Saved, dy: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    x, mean, inverse, scale = saved
    dy = dy.astype(jnp.float32)
    unit = (x.astype(jnp.float32) - mean) * inverse  # mean 0, variance 1
    g = dy * scale[None, None]
    along = jnp.mean(g * unit, -1, keepdims=True)
    dx = inverse * (g - jnp.mean(g, -1, keepdims=True) - unit * along)
    return dx.astype(x.dtype), jnp.sum(dy * unit, (0, 1)), jnp.sum(dy, (0, 1))


_normalise.defvjp(_forward, _backward)
