"""AdamW with clipping, held against the papers' algorithms in NumPy."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from search.spec.recipe import Recipe
from search.train.optimizer import adamw, hyper_of, init_moments

SHAPES = {
    "Dense_0": {"bias": (3,), "kernel": (2, 3)},
    "norm": {"scale": (4,)},
    "pos": {"embedding": (2, 2)},
}
RECIPE = Recipe(epochs=1, learning_rate=0.1, warmup=0.5, weight_decay=0.3, clip_norm=1.0)
STEPS = 8
RATES = [0.025, 0.05, 0.075, 0.1, 0.1, 0.0853553391, 0.05, 0.0146446609]
"""Four steps up; then (1 + cos(k π / 4)) / 2 of the peak, k = 0 to 3."""


def tree(rng: np.random.Generator, scale: float) -> Any:
    def draw(shape: tuple[int, ...]) -> Any:
        return scale * rng.normal(size=shape)

    return jax.tree.map(draw, SHAPES, is_leaf=lambda leaf: isinstance(leaf, tuple))


def on_device(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), tree)


def by_the_papers(params: Any, gradients: list[Any], clip_norm: float) -> Any:
    """Kingma & Ba 2015, algorithm 1, with decay as Loshchilov & Hutter 2019 have it.

    The gradient as a whole is cut to `clip_norm` first (Pascanu et al. 2013); decay on kernels.
    """
    first = second = jax.tree.map(np.zeros_like, params)
    decay = jax.tree.map(np.zeros_like, params)
    decay["Dense_0"]["kernel"] += RECIPE.weight_decay
    for t, (gradient, rate) in enumerate(zip(gradients, RATES, strict=True), start=1):
        norm = np.sqrt(sum(np.sum(leaf**2) for leaf in jax.tree.leaves(gradient)))
        cut = min(1.0, clip_norm / norm)
        first = jax.tree.map(lambda m, g, c=cut: 0.9 * m + 0.1 * c * g, first, gradient)
        second = jax.tree.map(
            lambda v, g, c=cut: 0.999 * v + 0.001 * (c * g) ** 2, second, gradient
        )

        def move(w: Any, m: Any, v: Any, d: Any, t: int = t, rate: float = rate) -> Any:
            return w - rate * (m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8) + d * w)

        params = jax.tree.map(move, params, first, second, decay)
    return params


@pytest.mark.parametrize("clip_norm", [0.5, 1.0, 1e9])
def test_several_steps_are_those_of_the_papers(clip_norm: float) -> None:
    """One step would not tell: Adam's first is the same for a gradient of any length."""
    rng = np.random.default_rng(0)
    before = tree(rng, 1.0)
    gradients = [tree(rng, scale) for scale in (3.0, 0.01, 0.1, 1e-4, 10.0, 0.02, 1.0, 0.3)]
    hyper = hyper_of(RECIPE.model_copy(update={"clip_norm": clip_norm}), STEPS)
    params = on_device(before)
    moments = init_moments(sum(leaf.size for leaf in jax.tree.leaves(params)))
    step_of = jax.jit(adamw)
    for step, gradient in enumerate(gradients):
        params, moments = step_of(on_device(gradient), moments, params, jnp.int32(step), hyper)
    jax.tree.map(
        lambda got, want: np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5),
        params,
        by_the_papers(before, gradients, clip_norm),
    )
