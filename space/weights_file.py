"""Weights as the bytes of a safetensors file, by NumPy alone.

The arrays of a file are float32, under the path of each in the variables of the network
(`params/stem/kernel`). Equal weights and facts are equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from safetensors.numpy import load, save


def weights_bytes(params: Mapping[str, Any], facts: Mapping[str, str]) -> bytes:
    """A file of weights.

    Args:
        params: the parameter tree of a network, its leaves arrays.
        facts: for the header, in this order.
    """
    return _with_header(save(flat({"params": params})), facts)


def params_in(content: bytes) -> dict[str, Any]:
    """The parameter tree in the bytes of a file: dictionaries of NumPy arrays.

    Raises:
        safetensors.SafetensorError: these are not the bytes of a whole file.
    """
    return params_of(load(content))


def params_of(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The parameter tree from the arrays of a file, by their paths."""
    tree: dict[str, Any] = {}
    for path, array in arrays.items():
        *folders, name = path.split("/")
        place = tree
        for folder in folders:
            place = place.setdefault(folder, {})
        place[name] = array
    params: dict[str, Any] = tree["params"]
    return params


def size_of(params: Mapping[str, Any]) -> int:
    """How many numbers a parameter tree holds."""
    return sum(array.size for array in flat(params).values())


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A tree as float32 arrays by their paths: `stem/kernel`."""
    arrays: dict[str, Any] = {}
    for name, branch in tree.items():
        path = f"{prefix}{name}"
        if isinstance(branch, Mapping):
            arrays |= flat(branch, f"{path}/")
        else:
            arrays[path] = np.ascontiguousarray(branch, np.float32)
    return arrays


def _with_header(content: bytes, facts: Mapping[str, str]) -> bytes:
    """With facts in their order: the library writes them in another one every time.

    A file begins with the length of its header, little-endian in eight bytes; the header is JSON,
    filled up with spaces so that the arrays behind it are aligned.
    """
    size = int.from_bytes(content[:8], "little")
    header = {"__metadata__": dict(facts)} | json.loads(content[8 : 8 + size])
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[8 + size :]
