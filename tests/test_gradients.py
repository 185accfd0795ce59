"""Gradients written out by hand are those that JAX derives."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from space.layer_norm import EPSILON, LayerNorm
from space.matmul import matmul


def normal(seed: int, *shape: int) -> jax.Array:
    return jax.random.normal(jax.random.key(seed), shape)


@pytest.mark.parametrize(("dtype", "tolerance"), [(jnp.float32, 1e-5), (jnp.bfloat16, 2e-2)])
@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_layer_norm_and_its_gradient_are_those_of_flax(
    dtype: Any, tolerance: float, offset: float
) -> None:
    x = (3 * normal(0, 4, 6, 32) + offset).astype(dtype)
    params = {"scale": normal(1, 32), "bias": normal(2, 32)}
    dy = normal(3, 4, 6, 32).astype(dtype)

    def results(norm: nn.Module) -> Any:
        y, pull = jax.vjp(lambda params, x: norm.apply({"params": params}, x), params, x)
        return y, pull(dy)

    theirs = results(nn.LayerNorm(epsilon=EPSILON, dtype=dtype))
    ours = results(LayerNorm())
    assert jax.tree.map(jnp.shape, ours) == jax.tree.map(jnp.shape, theirs)
    scale = 1 + offset  # the variance is a difference of large numbers then, in Flax too
    for ours_leaf, theirs_leaf in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert ours_leaf.dtype == theirs_leaf.dtype
        np.testing.assert_allclose(
            np.asarray(ours_leaf, np.float32),
            np.asarray(theirs_leaf, np.float32),
            rtol=scale * tolerance,
            atol=scale * tolerance,
        )


def test_layer_norm_starts_as_flax_has_it() -> None:
    x = normal(0, 2, 3, 8)
    ours, theirs = (norm.init(jax.random.key(0), x) for norm in (LayerNorm(), nn.LayerNorm()))
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (7, 7)])
def test_a_product_has_the_gradients_of_a_product(shape: tuple[int, int]) -> None:
    x, matrix, dy = normal(0, 40, shape[0]), normal(1, *shape), normal(2, 40, shape[1])
    y, pull = jax.vjp(matmul, x, matrix)
    expected, expected_pull = jax.vjp(jnp.matmul, x, matrix)
    np.testing.assert_allclose(y, expected, rtol=1e-6)
    for ours, theirs in zip(pull(dy), expected_pull(dy), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_gradients_written_out_vectorise_over_seeds() -> None:
    x, matrices = normal(0, 2, 12, 6), normal(1, 2, 6, 3)

    def loss(x: jax.Array, matrix: jax.Array) -> jax.Array:
        y = LayerNorm().apply({"params": {"scale": jnp.ones(6), "bias": jnp.zeros(6)}}, x[None])[0]
        return jnp.sum(matmul(y, matrix) ** 2)

    together = jax.vmap(jax.grad(loss, (0, 1)))(x, matrices)
    alone = [jax.grad(loss, (0, 1))(x[i], matrices[i]) for i in range(2)]
    for i in range(2):
        for ours, theirs in zip(together, alone[i], strict=True):
            np.testing.assert_allclose(ours[i], theirs, rtol=1e-5, atol=1e-5)
