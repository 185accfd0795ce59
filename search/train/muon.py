"""Muon for the matrices inside blocks, Adam for all other weights: the direction of a step.

Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon) replaces the momentum of a
matrix by about the nearest orthogonal one. That one is scaled to the root mean square of a typical
update of Adam (Liu et al. 2025, arXiv 2502.16982, section 2.2), so that one learning rate serves
both.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from optax.contrib import MuonDimensionNumbers, scale_by_muon

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the Newton-Schulz iteration, as published with Muon."""

_ADAM_RMS = 0.2
_BLOCK = re.compile(r".*block_\d+", re.IGNORECASE)
_SPLIT_INTO_HEADS = {"query", "key", "value"}


class Arranged(NamedTuple):
    """A tree of weights as Muon sees it: however many blocks, as many products to compile."""

    matrices: dict[str, jax.Array]
    """By their sides, all of one size in one array [count, rows, columns]."""
    others: jax.Array
    """All else as one vector."""


def muon() -> optax.GradientTransformation:
    """Directions for `Arranged` gradients; momentum 0.95 and five iterations, as published."""
    matrices = optax.chain(
        scale_by_muon(COEFFICIENTS, weight_dimension_numbers=_axes), optax.stateless(_rescaled)
    )
    transformations = {"matrix": matrices, "other": optax.scale_by_adam()}
    return optax.partition(transformations, Arranged("matrix", "other"))  # type: ignore[arg-type]


def arrange(tree: Any) -> Arranged:
    """The weights of a network, or their gradients."""
    matrices: dict[str, list[jax.Array]] = {}
    others = []
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        sides = _sides(path, leaf)
        if sides is None:
            others.append(leaf.ravel())
        else:
            matrices.setdefault("{} x {}".format(*sides), []).append(leaf.reshape(sides))
    stacked = {name: jnp.stack(found) for name, found in matrices.items()}
    return Arranged(stacked, jnp.concatenate(others))


def leaves_of(arranged: Arranged, tree: Any) -> Iterator[jax.Array]:
    """The leaves of a tree that was arranged, in the order and shapes it has them."""
    stacks = {name: iter(found) for name, found in arranged.matrices.items()}
    start = 0
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        sides = _sides(path, leaf)
        if sides is None:
            yield arranged.others[start : start + leaf.size].reshape(leaf.shape)
            start += leaf.size
        else:
            yield next(stacks["{} x {}".format(*sides)]).reshape(leaf.shape)


def matrix_rows(path: tuple[str, ...], ndim: int) -> int | None:
    """How many axes of a weight are the rows of a matrix (what is summed over), from the first on.

    None for what Muon is not for: everything but kernels, and the kernels outside of blocks (patch
    embedding, head). A block is a module whose name ends like `Block_0`, as Flax names a class that
    is called a block. As Flax has them, the last axis of a kernel is the output, but for the
    query, key and value of attention, whose output has two axes: heads, and channels of a head.
    """
    if path[-1] != "kernel" or ndim < 2 or not any(map(_BLOCK.fullmatch, path)):
        return None
    return 1 if set(path) & _SPLIT_INTO_HEADS else ndim - 1


def _sides(path: Any, leaf: Any) -> tuple[int, int] | None:
    """Rows and columns of a matrix for Muon."""
    rows = matrix_rows(tuple(key.key for key in path), leaf.ndim)
    return None if rows is None else (math.prod(leaf.shape[:rows]), math.prod(leaf.shape[rows:]))


def _axes(matrices: Any) -> Any:
    return jax.tree.map(lambda _: MuonDimensionNumbers(1, 2), matrices)


def _rescaled(updates: Any, _: Any) -> Any:
    def rescale(found: jax.Array) -> jax.Array:  # count, rows, columns
        return found * (_ADAM_RMS * math.sqrt(max(found.shape[1:])))

    return jax.tree.map(rescale, updates)
