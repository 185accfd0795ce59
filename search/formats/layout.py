"""Arrays of a file held against a network: every name, every shape, every number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from space.config import Config
from space.errors import MixerSearchError, listed
from space.families import label_of
from space.weights_file import params_of

Shape = tuple[int, ...]

_MOST = 10
"""Names of one kind in a sentence."""


class LayoutError(MixerSearchError):
    """A file of weights cannot be read, or they are not those of the network that was named."""


class Stored(NamedTuple):
    """An array under its name in a file, which may be an old one."""

    name: str
    array: npt.NDArray[Any]


def tree_of(arrays: Mapping[str, npt.NDArray[np.float32]]) -> dict[str, Any]:
    """The parameter tree of arrays by their paths: `stem/kernel`."""
    return params_of({f"params/{path}": array for path, array in arrays.items()})


def shapes_of(config: Config) -> dict[str, Shape]:
    """The shape of every parameter of a network, by its path."""
    from jax.tree_util import tree_leaves_with_path  # who lists formats waits for no JAX

    from space.init import param_shapes

    leaves = tree_leaves_with_path(param_shapes(config))
    return {"/".join(key.key for key in path): tuple(leaf.shape) for path, leaf in leaves}


def checked(
    found: Mapping[str, Stored], expected: Mapping[str, Shape], config: Config, file: str
) -> dict[str, npt.NDArray[np.float32]]:
    """Arrays that are exactly those of a network, as float32.

    Args:
        found: what a file holds, by the names of its layout.
        expected: what it must hold, by the same.
        config: the network, for the sentence.
        file: its name, for the sentence.

    Raises:
        LayoutError: names are missing or foreign, or an array is of another shape, is not made of
            numbers, or holds one that is not finite.
    """
    missing = [name for name in expected if name not in found]
    foreign = [stored.name for name, stored in found.items() if name not in expected]
    others = {
        name: found[name]
        for name, shape in expected.items()
        if name in found and found[name].array.shape != shape
    }
    biases = [stored.array for name, stored in others.items() if name.endswith("bias")]
    if (
        not missing
        and not foreign
        and len(biases) == 1
        and all(n.startswith("head") for n in others)
    ):
        classes = biases[0].size
        raise LayoutError(
            f"{file} knows {classes:,} classes, the network that was named "
            f"{config.num_classes:,}; read it with --set num_classes={classes}, and train a head "
            "for other classes afterwards with python -m search.finetune"
        )
    shapes = [
        f"{stored.name} {list(stored.array.shape)} for {list(expected[name])}"
        for name, stored in others.items()
    ]
    if missing or foreign or others:
        told = "; ".join(
            f"{len(names):,} {fault}: {listed(names, _MOST)}"
            for fault, names in (
                ("missing", missing),
                ("foreign", foreign),
                ("of another shape", shapes),
            )
            if names
        )
        raise LayoutError(
            f"the arrays of {file} are not those of {label_of(config)} ({told}); name the network "
            "they are of with --like"
        )
    return {name: _numbers(found[name], file) for name in expected}


def _numbers(stored: Stored, file: str) -> npt.NDArray[np.float32]:
    kind = stored.array.dtype
    if kind.kind != "f" and kind.name != "bfloat16":
        raise LayoutError(
            f"{stored.name} in {file} is of type {kind.name}; weights are floating-point numbers: "
            "save them as float32"
        )
    array = np.ascontiguousarray(stored.array, np.float32)
    if not np.isfinite(array).all():
        raise LayoutError(
            f"{stored.name} in {file} holds numbers that are not finite; these weights compute "
            "nothing: take a copy of the file, or an earlier one"
        )
    return array
