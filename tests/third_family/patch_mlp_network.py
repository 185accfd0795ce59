"""What trains the family of `patch_mlp.py`: a Flax module. Its own `init` draws the weights."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
from patch_mlp import PatchMlpConfig

from space.build import Network
from space.stem import PatchStem


class PatchMlp(nn.Module):
    config: PatchMlpConfig
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        c = self.config
        x = PatchStem(c.patch_size, c.hidden_dim, self.dtype, name="stem")(images)
        x = x.reshape(x.shape[0], -1)  # batch, patches x channels
        x = nn.gelu(nn.Dense(c.mlp_dim, dtype=self.dtype, name="hidden")(x))
        head = nn.Dense(c.num_classes, kernel_init=nn.initializers.zeros, name="head")
        return head(x.astype(jnp.float32))


PATCH_MLP = Network(module=PatchMlp)
