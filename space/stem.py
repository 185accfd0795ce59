"""The patch embedding both families begin with."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp


class PatchStem(nn.Module):
    """A convolution with stride = kernel = patch, computed as one matrix product.

    Same parameters as `nn.Conv(hidden_dim, (p, p), strides=(p, p))`: kernel [p, p, channels,
    hidden_dim], LeCun normal, and a bias. A convolution here would be slower, and under `vmap`
    (several seeds at once) would turn into a grouped one with a slow backward pass.
    """

    patch_size: int
    hidden_dim: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """[batch, size, size, channels] -> [batch, patches, hidden_dim]."""
        p = self.patch_size
        batch, size, _, channels = images.shape
        shape = (p, p, channels, self.hidden_dim)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        bias = self.param("bias", nn.initializers.zeros, (self.hidden_dim,))
        grid = size // p
        x = images.astype(self.dtype).reshape(batch, grid, p, grid, p, channels)
        x = jnp.transpose(x, (0, 1, 3, 2, 4, 5))  # batch, row, column, p, p, channels
        x = x.reshape(batch, grid * grid, p * p * channels)  # batch, patches, pixels
        matrix = kernel.reshape(p * p * channels, self.hidden_dim).astype(self.dtype)
        return x @ matrix + bias.astype(self.dtype)[None, None]
