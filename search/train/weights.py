"""Weights of a trial as the bytes of a safetensors file, the same for the same weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from safetensors.numpy import save


def weights_bytes(params: Any, seed: int, facts: Mapping[str, str]) -> bytes:
    """A safetensors file of one seed's weights; see `runs.weights_folder` for its names.

    Args:
        params: the parameter tree, NumPy arrays with a leading axis for the seed.
        seed: which along that axis.
        facts: for the header.
    """
    arrays = flatten_dict({"params": params}, sep="/")
    content = save({name: np.asarray(array[seed], np.float32) for name, array in arrays.items()})
    return _with_header(content, facts)


def params_of(arrays: Mapping[str, Any]) -> Any:
    """The parameter tree of a network from the arrays of its file (`runs.weights_folder`)."""
    return unflatten_dict(dict(arrays), sep="/")["params"]


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
