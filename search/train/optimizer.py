"""A step of training: clipping, an optimiser's direction, decay, learning rate.

AdamW and SGD see all weights as one vector: fewer kernels to compile and to launch. Array by array,
a Mixer of four blocks has half as many kernels again (687 against 457, on a CPU). Muon sees the
matrices of one size as one array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from search.spec.recipe import Optimizer, Recipe, Schedule
from search.train.muon import COEFFICIENTS, arrange, leaves_of, muon

_DIRECTIONS: dict[Optimizer, Callable[[], optax.GradientTransformation]] = {
    "adamw": optax.scale_by_adam,
    "sgd": partial(optax.trace, decay=0.9, nesterov=True),
    "muon": muon,
}


class Hyper(NamedTuple):
    """The numbers of a recipe, float32 scalars: arguments of the program, not part of it."""

    learning_rate: jax.Array
    warmup_steps: jax.Array
    total_steps: jax.Array
    weight_decay: jax.Array
    label_smoothing: jax.Array
    clip_norm: jax.Array


ARGUMENTS = ("epochs", "learning_rate", "warmup", "weight_decay", "label_smoothing", "clip_norm")
"""The fields of a recipe that `hyper_of` turns into arguments of the program."""


def without_arguments(recipe: Recipe) -> Recipe:
    """The recipe as a program is made from it, and known by: the same for all values of arguments.

    What is not an argument stays, a field that a later version adds too: programs that may differ
    can never be taken for one another.
    """
    fields = type(recipe).model_fields
    return recipe.model_copy(update={name: fields[name].default for name in ARGUMENTS})


def hyper_of(recipe: Recipe, steps_per_epoch: int) -> Hyper:
    """The recipe's numbers for epochs of so many steps."""
    total = recipe.epochs * steps_per_epoch
    return Hyper(
        learning_rate=jnp.float32(recipe.learning_rate),
        warmup_steps=jnp.float32(recipe.warmup * total),
        total_steps=jnp.float32(total),
        weight_decay=jnp.float32(recipe.weight_decay),
        label_smoothing=jnp.float32(recipe.label_smoothing),
        clip_norm=jnp.float32(recipe.clip_norm),
    )


def learning_rate(step: jax.Array, hyper: Hyper, schedule: Schedule = "cosine") -> jax.Array:
    """Linear warm-up to the peak, then half a cosine or a line down to zero at `total_steps`.

    Or no change, where the schedule is constant. A warm-up that is no whole number of steps is over
    within a step, at the peak.
    """
    climb = jnp.minimum((step + 1) / jnp.maximum(hyper.warmup_steps, 1), 1)
    rest = jnp.maximum(hyper.total_steps - hyper.warmup_steps, 1)
    done = jnp.clip((step - hyper.warmup_steps) / rest, 0, 1)
    match schedule:
        case "cosine":
            fall = 0.5 * (1 + jnp.cos(jnp.pi * done))
        case "linear":
            fall = 1 - done
        case "constant":
            fall = jnp.ones_like(done)
    return hyper.learning_rate * jnp.where(step < hyper.warmup_steps, climb, fall)


def moment_shapes(params: Any, optimizer: Optimizer) -> Any:
    """The state of an optimiser for weights like `params`, with shapes in place of arrays."""
    init = _direction(optimizer, jnp.float32(1)).init
    return jax.eval_shape(lambda params: init(_arranged(params, optimizer)), params)


def initial_moments(params: Any, optimizer: Optimizer) -> Any:
    """The state of an optimiser before the first step; NumPy arrays.

    Zeros, beside Muon's coefficients, which Optax keeps there too.

    Args:
        params: a tree of arrays or of their shapes.
        optimizer: by its name in a recipe.
    """
    shapes = moment_shapes(params, optimizer)
    moments = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    if optimizer == "muon":
        return optax.tree.set(moments, ns_coeffs=np.array(COEFFICIENTS, np.float32))
    return moments


def update(
    gradients: Any, moments: Any, params: Any, step: jax.Array, hyper: Hyper, recipe: Recipe
) -> tuple[Any, Any]:
    """One step: `w - rate * (direction + weight_decay * w)`, the decay on kernels only.

    Gradients are clipped first. The direction is that of Adam (Kingma & Ba 2015), of SGD with
    Nesterov momentum 0.9 (Sutskever et al. 2013), or of `search.train.muon`. The decay is decoupled
    from it (Loshchilov & Hutter 2019) with each of them.

    Args:
        gradients: a tree like `params`.
        moments: as `initial_moments` made them, or the last step returned them.
        params: the weights.
        step: counted from 0; sets the learning rate.
        hyper: the recipe's numbers.
        recipe: names the optimiser and the schedule; its numbers are not read.

    Returns:
        The new weights and moments.
    """
    arranged = _arranged(gradients, recipe.optimizer)
    direction, moments = _direction(recipe.optimizer, hyper.clip_norm).update(arranged, moments)
    parts: Iterable[jax.Array] = (
        leaves_of(direction, params) if recipe.optimizer == "muon" else _split(direction, params)
    )
    rate = learning_rate(step, hyper, recipe.schedule)
    moved = []
    leaves = jax.tree_util.tree_leaves_with_path(params)
    for (path, weights), part in zip(leaves, parts, strict=True):
        decays = path[-1].key == "kernel"
        change = part + hyper.weight_decay * weights if decays else part
        moved.append(weights - rate * change)
    return jax.tree.unflatten(jax.tree.structure(params), moved), moments


def _direction(optimizer: Optimizer, clip_norm: jax.Array) -> optax.GradientTransformation:
    return optax.chain(optax.clip_by_global_norm(clip_norm), _DIRECTIONS[optimizer]())


def _arranged(tree: Any, optimizer: Optimizer) -> Any:
    """As the optimiser sees weights: one vector, or for Muon matrices and a vector."""
    if optimizer == "muon":
        return arrange(tree)
    return jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(tree)])


def _split(vector: jax.Array, tree: Any) -> Iterator[jax.Array]:
    """The leaves of a tree that were made one vector."""
    start = 0
    for leaf in jax.tree.leaves(tree):
        yield vector[start : start + leaf.size].reshape(leaf.shape)
        start += leaf.size
