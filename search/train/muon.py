"""Muon for the matrices inside blocks, Adam for all other weights: the direction of a step.

Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon) replaces the momentum of a
matrix by about the nearest orthogonal one. That one is scaled to the root mean square of a typical
update of Adam (Liu et al. 2025, arXiv 2502.16982, section 2.2), so that one learning rate serves
both.
"""

from __future__ import annotations

import math
import re
from typing import Any

import jax
import optax
from optax.contrib import MuonDimensionNumbers, scale_by_muon

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the Newton-Schulz iteration, as published with Muon."""

_ADAM_RMS = 0.2
_BLOCK = re.compile(r".*block_\d+", re.IGNORECASE)
_SPLIT_INTO_HEADS = {"query", "key", "value"}


def muon() -> optax.GradientTransformation:
    """Directions for a tree of gradients; momentum 0.95 and five iterations, as published."""
    matrices = optax.chain(
        scale_by_muon(COEFFICIENTS, weight_dimension_numbers=_axes), optax.stateless(_rescaled)
    )
    return optax.partition({"matrix": matrices, "other": optax.scale_by_adam()}, _labels)


def matrix_axes(path: tuple[str, ...], ndim: int) -> MuonDimensionNumbers | None:
    """Which axes of a weight are the rows (what is summed over) and the columns of a matrix.

    None for what Muon is not for: everything but kernels, and the kernels outside of blocks (patch
    embedding, head). A block is a module whose name ends like `Block_0`, as Flax names a class that
    is called a block. As Flax has them, the last axis of a kernel is the output, but for the
    query, key and value of attention, whose output has two axes: heads, and channels of a head.
    """
    if path[-1] != "kernel" or ndim < 2 or not any(map(_BLOCK.fullmatch, path)):
        return None
    rows = 1 if set(path) & _SPLIT_INTO_HEADS else ndim - 1
    return MuonDimensionNumbers(tuple(range(rows)), tuple(range(rows, ndim)))


def _labels(params: Any) -> Any:
    def label(path: Any, leaf: Any) -> str:
        return "other" if matrix_axes(_names(path), leaf.ndim) is None else "matrix"

    return jax.tree_util.tree_map_with_path(label, params)


def _axes(matrices: Any) -> Any:
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: matrix_axes(_names(path), leaf.ndim), matrices
    )


def _rescaled(updates: Any, _: Any) -> Any:
    def rescale(path: Any, update: jax.Array) -> jax.Array:
        axes = matrix_axes(_names(path), update.ndim)
        assert axes is not None
        sides = (axes.reduction_axis, axes.output_axis)
        longer = max(math.prod(update.shape[axis] for axis in side) for side in sides)
        return update * (_ADAM_RMS * math.sqrt(longer))

    return jax.tree_util.tree_map_with_path(rescale, updates)


def _names(path: Any) -> tuple[str, ...]:
    return tuple(key.key for key in path)
