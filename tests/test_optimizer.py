"""The optimisers and schedules, held against the papers' algorithms in NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from numpy.typing import NDArray

from search.spec.recipe import Recipe, Schedule
from search.train.muon import arrange, leaves_of, matrix_rows
from search.train.optimizer import Hyper, hyper_of, initial_moments, learning_rate, update
from space.config import ImageTask, MixerConfig, ViTConfig
from space.init import param_shapes

SHAPES = {
    "Dense_0": {"bias": (3,), "kernel": (2, 3)},
    "norm": {"scale": (4,)},
    "pos": {"embedding": (2, 2)},
}
BLOCKS = {
    "stem": {"kernel": (2, 2, 1, 3)},
    "Block_0": {
        "Dense_0": {"bias": (5,), "kernel": (3, 5)},
        "Dense_1": {"kernel": (5, 3)},
        "query": {"bias": (2, 2), "kernel": (3, 2, 2)},
        "out": {"kernel": (2, 2, 3)},
    },
    "Block_1": {"Dense_0": {"kernel": (3, 5)}},
    "head": {"kernel": (3, 2)},
}
RECIPE = Recipe(epochs=1, learning_rate=0.1, warmup=0.5, weight_decay=0.3, clip_norm=1.0)
STEPS = 8
RATES = [0.025, 0.05, 0.075, 0.1, 0.1, 0.0853553391, 0.05, 0.0146446609]
"""Four steps up; then (1 + cos(k π / 4)) / 2 of the peak, k = 0 to 3."""
SCALES = (3.0, 0.01, 0.1, 1e-4, 10.0, 0.02, 1.0, 0.3)
"""Of the gradients: one step would not tell, Adam's first is the same for any length."""

Array = NDArray[np.float64]
Direction = Callable[[Array], Array]
"""Of a step, by the gradient; keeps its own momentum."""


def tree(rng: np.random.Generator, scale: float, shapes: Any) -> Any:
    def draw(shape: tuple[int, ...]) -> Any:
        return scale * rng.normal(size=shape)

    return jax.tree.map(draw, shapes, is_leaf=lambda leaf: isinstance(leaf, tuple))


def on_device(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), tree)


class Adam:
    """Kingma & Ba 2015, algorithm 1."""

    def __init__(self) -> None:
        self.first = self.second = np.zeros(1)
        self.t = 0

    def __call__(self, gradient: Array) -> Array:
        self.t += 1
        self.first = 0.9 * self.first + 0.1 * gradient
        self.second = 0.999 * self.second + 0.001 * gradient**2
        first = self.first / (1 - 0.9**self.t)
        return first / (np.sqrt(self.second / (1 - 0.999**self.t)) + 1e-8)


class Nesterov:
    """Sutskever et al. 2013, as PyTorch and Optax write it: the gradient is taken where we are."""

    def __init__(self) -> None:
        self.velocity = np.zeros(1)

    def __call__(self, gradient: Array) -> Array:
        self.velocity = 0.9 * self.velocity + gradient
        return gradient + 0.9 * self.velocity


class Muon:
    """Jordan et al. 2024: momentum, five Newton-Schulz iterations; the size by Liu et al. 2025.

    The momentum is Nesterov's with the correction of bias of NAdam (Dozat 2016), as Optax has it.
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.momentum = np.zeros(1)
        self.t = 0

    def __call__(self, gradient: Array) -> Array:
        self.t += 1
        self.momentum = 0.95 * self.momentum + 0.05 * gradient
        ahead = 0.95 * self.momentum / (1 - 0.95 ** (self.t + 1))
        ahead = ahead + 0.05 * gradient / (1 - 0.95**self.t)
        x = ahead.reshape(self.rows, -1)
        longer = max(x.shape)
        x = x / (np.linalg.norm(x) + 1e-8)
        for _ in range(5):
            square = x @ x.T
            x = 3.4445 * x - 4.7750 * square @ x + 2.0315 * square @ square @ x
        return 0.2 * np.sqrt(longer) * x.reshape(gradient.shape)


def muon_or_adam(path: str, shape: tuple[int, ...]) -> Direction:
    """By hand, for `BLOCKS`: the rows of each matrix."""
    rows = {"Dense_0/kernel": 3, "Dense_1/kernel": 5, "query/kernel": 3, "out/kernel": 4}
    block, _, name = path.partition("/")
    return Muon(rows[name]) if block in {"Block_0", "Block_1"} and name in rows else Adam()


def by_the_papers(
    params: Any,
    gradients: list[Any],
    clip_norm: float,
    kind: Callable[[str, tuple[int, ...]], Direction],
) -> Any:
    """Decay as Loshchilov & Hutter 2019 have it, on kernels alone.

    The gradient as a whole is cut to `clip_norm` first (Pascanu et al. 2013).
    """
    leaves, shape_of_tree = jax.tree_util.tree_flatten_with_path(params)
    paths = ["/".join(key.key for key in path) for path, _ in leaves]
    weights = [leaf for _, leaf in leaves]
    kinds = [kind(path, leaf.shape) for path, leaf in zip(paths, weights, strict=True)]
    for gradient, rate in zip(gradients, RATES, strict=True):
        slopes = jax.tree.leaves(gradient)
        cut = min(1.0, clip_norm / np.sqrt(sum(np.sum(slope**2) for slope in slopes)))
        for i, slope in enumerate(slopes):
            decay = 0.3 * weights[i] if paths[i].endswith("kernel") else 0
            weights[i] = weights[i] - rate * (kinds[i](cut * slope) + decay)
    return jax.tree.unflatten(shape_of_tree, weights)


@pytest.mark.parametrize("clip_norm", [0.5, 1.0, 1e9])
@pytest.mark.parametrize(
    ("optimizer", "kind", "shapes"),
    [
        ("adamw", lambda *_: Adam(), SHAPES),
        ("sgd", lambda *_: Nesterov(), SHAPES),
        ("muon", muon_or_adam, BLOCKS),
        ("muon", lambda *_: Adam(), SHAPES),  # it has no blocks
    ],
)
def test_several_steps_are_those_of_the_papers(
    optimizer: str,
    kind: Callable[[str, tuple[int, ...]], Direction],
    shapes: Any,
    clip_norm: float,
) -> None:
    rng = np.random.default_rng(0)
    before = tree(rng, 1.0, shapes)
    gradients = [tree(rng, scale, shapes) for scale in SCALES]
    recipe = RECIPE.model_copy(update={"clip_norm": clip_norm, "optimizer": optimizer})
    hyper = hyper_of(recipe, STEPS)
    params = on_device(before)
    moments = on_device_as_they_are(initial_moments(params, recipe.optimizer))
    step_of = jax.jit(lambda *args: update(*args, recipe))
    for step, gradient in enumerate(gradients):
        params, moments = step_of(on_device(gradient), moments, params, jnp.int32(step), hyper)
    jax.tree.map(
        lambda got, want: np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5),
        params,
        by_the_papers(before, gradients, clip_norm, kind),
    )


def on_device_as_they_are(tree: Any) -> Any:
    return jax.tree.map(jnp.asarray, tree)


def test_adamw_takes_the_steps_it_always_took() -> None:
    """To the bit: studies that were begun go on. What follows is how it was first written."""

    def adam(clip_norm: jax.Array) -> optax.GradientTransformation:
        return optax.chain(optax.clip_by_global_norm(clip_norm), optax.scale_by_adam())

    def before(gradients: Any, moments: Any, params: Any, step: jax.Array, hyper: Hyper) -> Any:
        vector = jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(gradients)])
        vector, moments = adam(hyper.clip_norm).update(vector, moments)
        rate = learning_rate(step, hyper)
        moved, start = [], 0
        for path, weights in jax.tree_util.tree_leaves_with_path(params):
            part = vector[start : start + weights.size].reshape(weights.shape)
            if path[-1].key == "kernel":
                part = part + hyper.weight_decay * weights
            moved.append(weights - rate * part)
            start += weights.size
        return jax.tree.unflatten(jax.tree.structure(params), moved), moments

    rng = np.random.default_rng(1)
    params = was = on_device(tree(rng, 1.0, BLOCKS))
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    moments = on_device_as_they_are(initial_moments(params, "adamw"))
    moments_were = adam(jnp.float32(1)).init(jnp.zeros(count, jnp.float32))
    hyper = hyper_of(RECIPE, STEPS)
    step_of, step_was = jax.jit(lambda *args: update(*args, RECIPE)), jax.jit(before)
    for step, scale in enumerate(SCALES):
        gradient = on_device(tree(rng, scale, BLOCKS))
        params, moments = step_of(gradient, moments, params, jnp.int32(step), hyper)
        was, moments_were = step_was(gradient, moments_were, was, jnp.int32(step), hyper)
    jax.tree.map(np.testing.assert_array_equal, (params, moments), (was, moments_were))


def test_muon_takes_the_matrices_of_blocks_and_nothing_else() -> None:
    """By counts: two MLPs of two matrices a Mixer block; of a ViT's, attention's four and two."""
    task = ImageTask(image_size=8, image_channels=3, num_classes=5).model_dump()
    mixer = MixerConfig(
        **task, patch_size=4, hidden_dim=6, num_blocks=2, tokens_mlp_dim=5, channels_mlp_dim=7
    )
    vit = ViTConfig(**task, patch_size=4, hidden_dim=6, num_blocks=2, mlp_dim=7, num_heads=2)
    found = {config.family: matrices(config) for config in (mixer, vit)}
    assert {family: len(sides) for family, sides in found.items()} == {"mixer": 8, "vit": 12}
    assert sorted(found["mixer"].values()) == sorted(2 * [(4, 5), (5, 4), (6, 7), (7, 6)])
    assert sorted(found["vit"].values()) == sorted(2 * [*4 * [(6, 6)], (6, 7), (7, 6)])
    assert all("block" in path.lower() for sides in found.values() for path in sides)


def test_what_muon_sees_is_the_tree_and_the_tree_comes_back() -> None:
    params = on_device(tree(np.random.default_rng(0), 1.0, BLOCKS))
    seen = arrange(params)
    shapes = {name: stack.shape for name, stack in seen.matrices.items()}
    assert shapes == {
        "3 x 5": (2, 3, 5),
        "5 x 3": (1, 5, 3),
        "3 x 4": (1, 3, 4),
        "4 x 3": (1, 4, 3),
    }
    leaves = jax.tree.leaves(params)
    assert seen.others.size == sum(leaf.size for leaf in leaves) - 69
    for leaf, back in zip(leaves, leaves_of(seen, params), strict=True):
        np.testing.assert_array_equal(back, leaf)


def matrices(config: MixerConfig | ViTConfig) -> dict[str, tuple[int, int]]:
    """Rows and columns of what Muon takes, by path."""
    found = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(param_shapes(config)):
        names = tuple(key.key for key in path)
        rows = matrix_rows(names, leaf.ndim)
        if rows is not None:
            found["/".join(names)] = math.prod(leaf.shape[:rows]), math.prod(leaf.shape[rows:])
    return found


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ("cosine", [0.1, 0.05 * (1 + np.cos(np.pi / 4)), 0.05, 0.05 * (1 - np.cos(np.pi / 4)), 0]),
        ("linear", [0.1, 0.075, 0.05, 0.025, 0]),
        ("constant", [0.1, 0.1, 0.1, 0.1, 0.1]),
    ],
)
def test_a_schedule_climbs_and_then_takes_its_own_way(
    schedule: Schedule, rates: list[float]
) -> None:
    """At quarters of the 16 steps after four of warm-up."""
    hyper = hyper_of(RECIPE.model_copy(update={"warmup": 0.2}), 20)
    up = [float(learning_rate(jnp.int32(step), hyper, schedule)) for step in range(4)]
    np.testing.assert_allclose(up, [0.025, 0.05, 0.075, 0.1], rtol=1e-6)
    after = [float(learning_rate(jnp.int32(step), hyper, schedule)) for step in range(4, 21, 4)]
    np.testing.assert_allclose(after, rates, atol=1e-8)
