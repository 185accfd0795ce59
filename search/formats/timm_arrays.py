"""The parameters of a network under timm's names, and back.

Names and shapes are those of timm 1.0.31, `timm/models/mlp_mixer.py` (`MlpMixer`) and
`timm/models/vision_transformer.py` (`VisionTransformer`, with its norm before the pooling). A dense
layer has its outputs first there, an image its channels, and attention one matrix for queries, keys
and values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from search.formats.layout import Shape, Stored, checked, shapes_of, tree_of
from search.formats.proof import FormatError
from space.config import Config, MixerConfig, ViTConfig
from space.weights_file import flat

Floats = npt.NDArray[np.float32]

Kind = Literal["as it is", "vector", "inputs first", "outputs last", "stem"]

_TO_TIMM: dict[Kind, Callable[[Floats], Floats]] = {
    "as it is": lambda array: array,
    "vector": lambda array: array.reshape(-1),
    "inputs first": lambda array: array.reshape(len(array), -1).T,
    "outputs last": lambda array: array.reshape(-1, array.shape[-1]).T,
    "stem": lambda array: array.transpose(3, 2, 0, 1),
}

_FROM_TIMM: dict[Kind, Callable[[Floats, Shape], Floats]] = {
    "as it is": lambda array, shape: array,
    "vector": lambda array, shape: array.reshape(shape),
    "inputs first": lambda array, shape: array.T.reshape(shape),
    "outputs last": lambda array, shape: array.T.reshape(shape),
    "stem": lambda array, shape: array.transpose(2, 3, 1, 0),
}


@dataclass(frozen=True)
class Entry:
    """An array of timm's, and where it comes from."""

    theirs: str
    ours: tuple[str, ...]
    """Several lie one after another along its first axis."""
    kind: Kind


def to_timm(config: Config, params: Mapping[str, Any]) -> dict[str, Floats]:
    """The arrays of a parameter tree, float32, by timm's names.

    Raises:
        FormatError: timm has no network of that family.
    """
    arrays = flat(params)
    return {
        entry.theirs: np.ascontiguousarray(
            np.concatenate([_TO_TIMM[entry.kind](arrays[path]) for path in entry.ours])
        )
        for entry in entries(config)
    }


def from_timm(config: Config, arrays: Mapping[str, npt.NDArray[Any]], file: str) -> dict[str, Any]:
    """The parameter tree of a network from the arrays of timm's.

    Args:
        config: the network.
        arrays: by timm's names.
        file: its name, for the sentence.

    Raises:
        FormatError: timm has no network of that family.
        LayoutError: they are not those of this network.
    """
    shapes = shapes_of(config)
    expected = {entry.theirs: _shape(entry, shapes) for entry in entries(config)}
    stored = {name: Stored(name, array) for name, array in arrays.items()}
    found = checked(stored, expected, config, file)
    return tree_of(
        {
            path: np.ascontiguousarray(_FROM_TIMM[entry.kind](part, shapes[path]))
            for entry in entries(config)
            for path, part in zip(
                entry.ours, np.split(found[entry.theirs], len(entry.ours)), strict=True
            )
        }
    )


def entries(config: Config) -> list[Entry]:
    """All arrays of a network, in timm's order.

    Raises:
        FormatError: timm has no network of that family.
    """
    if isinstance(config, MixerConfig):
        return list(_mixer(config))
    if isinstance(config, ViTConfig):
        return list(_vit(config))
    raise FormatError(
        f"timm has no network of family {config.family!r}, only of mixer and vit; export it "
        "without --format timm"
    )


def _shape(entry: Entry, shapes: Mapping[str, Shape]) -> Shape:
    number = np.float32(0)  # a view of it has any shape and takes no room
    first, *rest = _TO_TIMM[entry.kind](np.broadcast_to(number, shapes[entry.ours[0]])).shape
    return (first * len(entry.ours), *rest)


def _mixer(config: MixerConfig) -> Iterator[Entry]:
    yield from _dense("stem.proj", "stem", "stem")
    for i in range(config.num_blocks):
        theirs, ours = f"blocks.{i}", f"MixerBlock_{i}"
        yield from _norm(f"{theirs}.norm1", f"{ours}/LayerNorm_0")
        yield from _mlp(f"{theirs}.mlp_tokens", f"{ours}/token_mixing")
        yield from _norm(f"{theirs}.norm2", f"{ours}/LayerNorm_1")
        yield from _mlp(f"{theirs}.mlp_channels", f"{ours}/channel_mixing")
    yield from _norm("norm", "pre_head_layer_norm")
    yield from _dense("head", "head", "inputs first")


def _vit(config: ViTConfig) -> Iterator[Entry]:
    if config.classifier == "token":
        yield Entry("cls_token", ("cls",), "as it is")
    yield Entry("pos_embed", ("Transformer/posembed_input/pos_embedding",), "as it is")
    yield from _dense("patch_embed.proj", "embedding", "stem")
    for i in range(config.num_blocks):
        theirs, ours = f"blocks.{i}", f"Transformer/encoderblock_{i}"
        attention = f"{ours}/MultiHeadDotProductAttention_0"
        three = [f"{attention}/{name}" for name in ("query", "key", "value")]
        yield from _norm(f"{theirs}.norm1", f"{ours}/LayerNorm_0")
        weights, biases = (tuple(f"{one}/{name}" for one in three) for name in ("kernel", "bias"))
        yield Entry(f"{theirs}.attn.qkv.weight", weights, "inputs first")
        yield Entry(f"{theirs}.attn.qkv.bias", biases, "vector")
        yield from _dense(f"{theirs}.attn.proj", f"{attention}/out", "outputs last")
        yield from _norm(f"{theirs}.norm2", f"{ours}/LayerNorm_1")
        yield from _mlp(f"{theirs}.mlp", f"{ours}/MlpBlock_0")
    yield from _norm("norm", "Transformer/encoder_norm")
    yield from _dense("head", "head", "inputs first")


def _mlp(theirs: str, ours: str) -> Iterator[Entry]:
    yield from _dense(f"{theirs}.fc1", f"{ours}/Dense_0", "inputs first")
    yield from _dense(f"{theirs}.fc2", f"{ours}/Dense_1", "inputs first")


def _dense(theirs: str, ours: str, kind: Kind) -> Iterator[Entry]:
    yield Entry(f"{theirs}.weight", (f"{ours}/kernel",), kind)
    yield Entry(f"{theirs}.bias", (f"{ours}/bias",), "as it is")


def _norm(theirs: str, ours: str) -> Iterator[Entry]:
    yield Entry(f"{theirs}.weight", (f"{ours}/scale",), "as it is")
    yield Entry(f"{theirs}.bias", (f"{ours}/bias",), "as it is")
