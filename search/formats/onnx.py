"""A network as an ONNX file: pixels in, logits and probabilities out, the same bytes every time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from search.formats.proof import FormatError, Proof, over_batches, within
from search.formats.size import check_size
from search.formats.stem import with_pixels
from space.config import Config
from space.presets import Preset

FILE: Final = "model.onnx"

OPSET: Final = 20
"""The first that has Gelu."""

_IR_VERSION = 9
"""Of that opset's time, so that readers as old as the opset take the file."""

_BATCHES = (1, 3, 64)
"""Compared at each of them."""

TOLERANCE: Final = 1e-5
"""Of the largest logit, and of 1 where that is less: what float32 rounds, a network of 12 blocks
has come to 1e-6 of it."""

_NOTE = (
    "takes uint8 pixels `images` [batch, size, size, channels] as they are (the normalisation is "
    f"in the stem) and gives `logits` and `probabilities`; opset {OPSET}, any batch size; class "
    "names are in the metadata"
)


def write_onnx(
    preset: Preset,
    params: Mapping[str, Any],
    folder: Path,
    images: npt.NDArray[np.uint8],
    logits: npt.NDArray[np.float32],
) -> Proof:
    """Writes `model.onnx`, and runs it by onnxruntime where that is installed.

    Args:
        preset: of a Mixer or ViT; `preset.trained` is set.
        params: its parameter tree, as `Preset.params` gives it.
        folder: that exists.
        images: uint8 [n, size, size, channels].
        logits: float32 [n, num_classes], what the network makes of them in float32.

    Raises:
        FormatError: the network cannot be written so, or what was written computes another.
        OSError: the file cannot be written.
    """
    trained = preset.trained
    if trained is None:
        raise ValueError(f"preset {preset.name!r} has no weights")
    config = preset.config
    content = onnx_bytes(
        config,
        params,
        trained.pixel_mean,
        trained.pixel_std,
        {
            "class_names": json.dumps(trained.class_names, ensure_ascii=False),
            "image_size": str(config.image_size),
            "image_channels": str(config.image_channels),
            "resize": trained.resize,
            "name": preset.name,
            "sha256": trained.sha256,
        },
    )
    (folder / FILE).write_bytes(content)
    return _proved((folder / FILE).read_bytes(), images, logits)


def onnx_bytes(
    config: Config,
    params: Mapping[str, Any],
    pixel_mean: Sequence[float],
    pixel_std: Sequence[float],
    facts: Mapping[str, str] | None = None,
) -> bytes:
    """The ONNX file of a network, checked by `onnx.checker`; equal for equal arguments.

    Args:
        config: of a Mixer or ViT.
        params: its parameter tree.
        pixel_mean: [channels], in units of a pixel value from 0 to 255.
        pixel_std: [channels] likewise: the network takes `(pixels - mean) / std`.
        facts: for the metadata, in this order.

    Raises:
        FormatError: onnx is not installed, the family has no graph here, or the weights are more
            than one file can hold.
    """
    if find_spec("onnx") is None:
        raise FormatError(
            "--format onnx: onnx is not installed; pip install 'mixer-search[onnx]' (in a "
            "checkout: pip install -c constraints.txt -e '.[onnx]')"
        )
    from onnx import TensorProto, checker, helper

    from search.formats.onnx_graph import FAMILIES, network

    if config.family not in FAMILIES:
        raise FormatError(
            f"--format onnx: networks of family {config.family!r} have no ONNX graph here, only "
            f"those of {' and '.join(sorted(FAMILIES))}; leave that format out"
        )
    check_size("onnx", config)
    channels = config.image_channels
    as_they_are = ((0.0,) * channels, (1.0,) * channels)
    graph = network(config, with_pixels(config, params, (pixel_mean, pixel_std), as_they_are))
    pixels = ("batch", config.image_size, config.image_size, config.image_channels)
    classes = ("batch", config.num_classes)
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            config.family,
            [helper.make_tensor_value_info("images", TensorProto.UINT8, pixels)],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, classes)
                for name in ("logits", "probabilities")
            ],
            graph.arrays,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=_IR_VERSION,
        producer_name="mixer-search",
    )
    for name, value in (facts or {}).items():
        model.metadata_props.add(key=name, value=value)
    checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def session(content: bytes, threads: int) -> Any:
    """An `onnxruntime.InferenceSession` on the CPU, with so many threads inside an operator."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # what it cannot do, it raises
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def allowed(logits: npt.NDArray[np.float32]) -> float:
    """What a logit of these may differ by: float32 rounds in proportion to what it rounds."""
    return TOLERANCE * max(1.0, float(np.abs(logits).max()))


def _proved(
    content: bytes, images: npt.NDArray[np.uint8], logits: npt.NDArray[np.float32]
) -> Proof:
    if find_spec("onnxruntime") is None:
        return Proof(
            format="onnx",
            files=(FILE,),
            read_by=None,
            max_difference=None,
            num_images=0,
            note="onnxruntime is not installed (pip install 'mixer-search[onnx]'); " + _NOTE,
        )
    import onnxruntime

    read = session(content, threads=1)

    def compute(pixels: npt.NDArray[np.uint8]) -> Any:
        return read.run(["logits"], {"images": pixels})[0]

    difference = over_batches(compute, images, logits, _BATCHES)
    read_by = f"onnxruntime {onnxruntime.__version__}"
    return Proof(
        format="onnx",
        files=(FILE,),
        read_by=read_by,
        max_difference=within("onnx", read_by, difference, allowed(logits)),
        num_images=len(images),
        note=_NOTE,
    )
