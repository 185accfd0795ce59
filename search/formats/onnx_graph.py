"""The graphs of Mixers and ViTs as ONNX operators, in float32, after `space.mixer` and `space.vit`.

Arrays keep the paths they have in the parameter tree. The batch stays symbolic: a Reshape's 0
copies the dimension at its place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, helper, numpy_helper

from space.config import Config, MixerConfig, PatchNetwork, ViTConfig
from space.layer_norm import EPSILON


class Graph:
    """Nodes in the order they compute, and the arrays they read."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.arrays: list[TensorProto] = []

    def add(self, operator: str, *inputs: str, to: str, **attributes: Any) -> str:
        """Adds a node named for its one output, which is returned."""
        self.nodes.append(helper.make_node(operator, [*inputs], [to], name=to, **attributes))
        return to

    def cast(self, x: str, to: str) -> str:
        """To float32."""
        self.nodes.append(helper.make_node("Cast", [x], [to], name=to, to=TensorProto.FLOAT))
        return to

    def array(self, name: str, value: npt.ArrayLike, dtype: Any = np.float32) -> str:
        """Adds an array under its name, which is returned."""
        content = np.asarray(value, dtype, order="C")
        self.arrays.append(numpy_helper.from_array(content, name))
        return name

    def reshape(self, x: str, *shape: int, to: str) -> str:
        return self.add("Reshape", x, self.array(f"{to}/shape", shape, np.int64), to=to)

    def transpose(self, x: str, *axes: int, to: str) -> str:
        return self.add("Transpose", x, to=to, perm=axes)

    def norm(self, x: str, path: str, params: Mapping[str, Any]) -> str:
        """Layer normalisation over the last axis."""
        scale, bias = (self.array(f"{path}/{name}", params[name]) for name in ("scale", "bias"))
        inputs = (x, scale, bias)
        return self.add("LayerNormalization", *inputs, to=path, axis=-1, epsilon=EPSILON)

    def dense(self, x: str, path: str, kernel: npt.ArrayLike, bias: npt.ArrayLike) -> str:
        """Of [..., in] by a kernel [in, out]."""
        product = self.add("MatMul", x, self.array(f"{path}/kernel", kernel), to=f"{path}/product")
        return self.add("Add", product, self.array(f"{path}/bias", bias), to=path)

    def mlp(self, x: str, path: str, params: Mapping[str, Any]) -> str:
        """Two dense layers with tanh GELU between them."""
        x = self.dense(x, f"{path}/Dense_0", **params["Dense_0"])
        x = self.add("Gelu", x, to=f"{path}/gelu", approximate="tanh")
        return self.dense(x, f"{path}/Dense_1", **params["Dense_1"])

    def head(self, x: str, params: Mapping[str, Any]) -> None:
        """From [batch, channels] to the outputs of the graph."""
        logits = [self.array(f"head/{name}", params[name]) for name in ("kernel", "bias")]
        self.add("Gemm", x, *logits, to="logits")
        self.add("Softmax", "logits", to="probabilities", axis=-1)


def _patches(graph: Graph, images: str, c: PatchNetwork, path: str, stem: Any) -> str:
    """uint8 [batch, size, size, channels] to embedded patches [batch, S, hidden_dim]."""
    p, grid = c.patch_size, c.image_size // c.patch_size
    x = graph.cast(images, to="pixels")
    x = graph.reshape(x, 0, grid, p, grid, p * c.image_channels, to=f"{path}/rows")
    x = graph.transpose(x, 0, 1, 3, 2, 4, to=f"{path}/squares")
    x = graph.reshape(x, 0, c.num_patches, p * p * c.image_channels, to=f"{path}/patches")
    return graph.dense(x, path, stem["kernel"].reshape(-1, c.hidden_dim), stem["bias"])


def _mixer(graph: Graph, images: str, c: MixerConfig, params: Any) -> None:
    x = _patches(graph, images, c, "stem", params["stem"])
    for i in range(c.num_blocks):
        block, weights = f"MixerBlock_{i}", params[f"MixerBlock_{i}"]
        y = graph.norm(x, f"{block}/LayerNorm_0", weights["LayerNorm_0"])
        y = graph.transpose(y, 0, 2, 1, to=f"{block}/channels")  # batch, channels, patches
        y = graph.mlp(y, f"{block}/token_mixing", weights["token_mixing"])
        y = graph.transpose(y, 0, 2, 1, to=f"{block}/tokens")  # batch, patches, channels
        x = graph.add("Add", x, y, to=f"{block}/mixed")
        y = graph.norm(x, f"{block}/LayerNorm_1", weights["LayerNorm_1"])
        y = graph.mlp(y, f"{block}/channel_mixing", weights["channel_mixing"])
        x = graph.add("Add", x, y, to=block)
    x = graph.norm(x, "pre_head_layer_norm", params["pre_head_layer_norm"])
    graph.head(_mean_token(graph, x), params["head"])


def _vit(graph: Graph, images: str, c: ViTConfig, params: Any) -> None:
    x = _patches(graph, images, c, "embedding", params["embedding"])
    encoder = params["Transformer"]
    table = np.array(encoder["posembed_input"]["pos_embedding"], np.float32)
    if c.classifier == "token":  # a token of zeros in front, and the class token in its position
        table[:, :1] += np.asarray(params["cls"], np.float32)
        x = graph.add("Pad", x, graph.array("cls/pads", (0, 1, 0, 0, 0, 0), np.int64), to="cls")
    x = graph.add("Add", x, graph.array("Transformer/posembed", table), to="Transformer/tokens")
    for i in range(c.num_blocks):
        block, weights = f"Transformer/encoderblock_{i}", encoder[f"encoderblock_{i}"]
        y = graph.norm(x, f"{block}/LayerNorm_0", weights["LayerNorm_0"])
        attention = "MultiHeadDotProductAttention_0"
        y = _attention(graph, y, f"{block}/{attention}", c, weights[attention])
        x = graph.add("Add", x, y, to=f"{block}/attended")
        y = graph.norm(x, f"{block}/LayerNorm_1", weights["LayerNorm_1"])
        x = graph.add(
            "Add", x, graph.mlp(y, f"{block}/MlpBlock_0", weights["MlpBlock_0"]), to=block
        )
    x = graph.norm(x, "Transformer/encoder_norm", encoder["encoder_norm"])
    if c.classifier == "token":
        x = graph.add("Gather", x, graph.array("head/token", 0, np.int64), to="head/input", axis=1)
    else:
        x = _mean_token(graph, x)
    graph.head(x, params["head"])


def _attention(graph: Graph, x: str, path: str, c: ViTConfig, params: Mapping[str, Any]) -> str:
    """Of all tokens to all, as `flax.linen.MultiHeadDotProductAttention`."""
    width, heads = c.hidden_dim, c.num_heads
    split = {}
    for name, axes in (("query", (0, 2, 1, 3)), ("key", (0, 2, 3, 1)), ("value", (0, 2, 1, 3))):
        kernel, bias = (np.asarray(params[name][part]) for part in ("kernel", "bias"))
        y = graph.dense(x, f"{path}/{name}", kernel.reshape(width, width), bias.reshape(width))
        y = graph.reshape(y, 0, 0, heads, width // heads, to=f"{path}/{name}/heads")
        split[name] = graph.transpose(y, *axes, to=f"{path}/{name}/split")
    scale = graph.array(f"{path}/scale", 1 / math.sqrt(width // heads))
    query = graph.add("Mul", split["query"], scale, to=f"{path}/scaled")
    y = graph.add("MatMul", query, split["key"], to=f"{path}/scores")  # batch, heads, T, T
    y = graph.add("Softmax", y, to=f"{path}/weights", axis=-1)
    y = graph.add("MatMul", y, split["value"], to=f"{path}/mixed")  # batch, heads, T, channels
    y = graph.transpose(y, 0, 2, 1, 3, to=f"{path}/tokens")
    y = graph.reshape(y, 0, 0, width, to=f"{path}/joined")
    kernel = np.asarray(params["out"]["kernel"]).reshape(width, width)
    return graph.dense(y, f"{path}/out", kernel, params["out"]["bias"])


def _mean_token(graph: Graph, x: str) -> str:
    axes = graph.array("head/axes", (1,), np.int64)
    return graph.add("ReduceMean", x, axes, to="head/input", keepdims=0)


_FAMILIES: dict[str, Callable[[Graph, str, Any, Any], None]] = {"mixer": _mixer, "vit": _vit}

FAMILIES = frozenset(_FAMILIES)
"""Those whose graph is known here."""


def network(config: Config, params: Mapping[str, Any]) -> Graph:
    """A network of one of `FAMILIES`, from `images` (uint8) to `logits` and `probabilities`.

    Args:
        config: the network.
        params: its parameter tree, for pixels as they are: see `search.formats.stem`.
    """
    graph = Graph()
    _FAMILIES[config.family](graph, "images", config, params)
    return graph
