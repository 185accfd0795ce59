"""Arrays of a file held against a network: every name, every shape, every number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from flax.traverse_util import flatten_dict, unflatten_dict

from space.config import Config
from space.errors import MixerSearchError, listed
from space.families import label_of
from space.init import param_shapes

Shape = tuple[int, ...]

_MOST = 10
"""Names of one kind in a sentence."""


class LayoutError(MixerSearchError):
    """A file of weights cannot be read, or they are not those of the network that was named."""


class Stored(NamedTuple):
    """An array under its name in a file, which may be an old one."""

    name: str
    array: npt.NDArray[Any]


def flat(params: Mapping[str, Any]) -> dict[str, npt.NDArray[np.float32]]:
    """A parameter tree as arrays by their paths: `stem/kernel`."""
    return {
        path: np.asarray(array, np.float32) for path, array in flatten_dict(params, sep="/").items()
    }


def tree_of(arrays: Mapping[str, npt.NDArray[np.float32]]) -> dict[str, Any]:
    """The parameter tree of such arrays."""
    tree: dict[str, Any] = unflatten_dict(dict(arrays), sep="/")
    return tree


def shapes_of(config: Config) -> dict[str, Shape]:
    """The shape of every parameter of a network, by its path."""
    return {
        path: tuple(leaf.shape)
        for path, leaf in flatten_dict(param_shapes(config), sep="/").items()
    }


def checked(
    found: Mapping[str, Stored],
    expected: Mapping[str, Shape],
    config: Config,
    file: str,
    head: str,
) -> dict[str, npt.NDArray[np.float32]]:
    """Arrays that are exactly those of a network, as float32.

    Args:
        found: what a file holds, by the names of its layout.
        expected: what it must hold, by the same.
        config: the network, for the sentence.
        file: its name, for the sentence.
        head: the name of the head's bias in this layout, which has a number a class.

    Raises:
        LayoutError: names are missing or foreign, or an array is of another shape, is not made of
            numbers, or holds one that is not finite.
    """
    if head in found and found[head].array.shape not in {expected[head], ()}:
        classes = found[head].array.shape[0]
        raise LayoutError(
            f"{file} knows {classes:,} classes, {label_of(config)} here {config.num_classes:,}: "
            f"read it with --set num_classes={classes}, and train a head for other classes "
            "afterwards with python -m search.finetune"
        )
    faults = {
        "missing": [name for name in expected if name not in found],
        "foreign": [stored.name for name, stored in found.items() if name not in expected],
        "of another shape": [
            f"{found[name].name} {list(found[name].array.shape)} for {list(shape)}"
            for name, shape in expected.items()
            if name in found and found[name].array.shape != shape
        ],
    }
    if any(faults.values()):
        told = "; ".join(
            f"{len(names):,} {kind}: {listed(names, _MOST)}"
            for kind, names in faults.items()
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
