"""AdamW over all weights as one vector: fewer kernels to compile and to launch.

Array by array, a Mixer of four blocks has half as many kernels again (687 against 457, on a CPU).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from search.spec.recipe import Recipe


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


def learning_rate(step: jax.Array, hyper: Hyper) -> jax.Array:
    """Linear warm-up to the peak, then half a cosine down to zero at `total_steps`.

    A warm-up that is no whole number of steps is over within a step, at the peak.
    """
    climb = jnp.minimum((step + 1) / jnp.maximum(hyper.warmup_steps, 1), 1)
    rest = jnp.maximum(hyper.total_steps - hyper.warmup_steps, 1)
    fall = 0.5 * (1 + jnp.cos(jnp.pi * jnp.clip((step - hyper.warmup_steps) / rest, 0, 1)))
    return hyper.learning_rate * jnp.where(step < hyper.warmup_steps, climb, fall)


def init_moments(num_params: int) -> Any:
    """The state of the optimiser before the first step, for a vector of so many weights."""
    return _adam(jnp.float32(1)).init(jnp.zeros(num_params, jnp.float32))


def adamw(
    gradients: Any, moments: Any, params: Any, step: jax.Array, hyper: Hyper
) -> tuple[Any, Any]:
    """One step of AdamW (Loshchilov & Hutter 2019) with clipping; decay on kernels only.

    Args:
        gradients: a tree like `params`.
        moments: as `init_moments` made them, or the last step returned them.
        params: the weights.
        step: counted from 0; sets the learning rate.
        hyper: the recipe's numbers.

    Returns:
        The new weights and moments.
    """
    vector = jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(gradients)])
    vector, moments = _adam(hyper.clip_norm).update(vector, moments)
    rate = learning_rate(step, hyper)
    moved, start = [], 0
    for path, weights in jax.tree_util.tree_leaves_with_path(params):
        update = vector[start : start + weights.size].reshape(weights.shape)
        if path[-1].key == "kernel":
            update = update + hyper.weight_decay * weights
        moved.append(weights - rate * update)
        start += weights.size
    return jax.tree.unflatten(jax.tree.structure(params), moved), moments


def _adam(clip_norm: jax.Array) -> optax.GradientTransformation:
    return optax.chain(optax.clip_by_global_norm(clip_norm), optax.scale_by_adam())
