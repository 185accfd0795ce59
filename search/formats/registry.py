"""The formats there are, by name."""

from __future__ import annotations

from collections.abc import Callable

from search.formats.jax_export import write_jax_export
from search.formats.npz import write_npz
from search.formats.onnx import write_onnx
from search.formats.proof import Proof
from search.formats.timm import write_timm

FORMATS: dict[str, Callable[..., Proof]] = {
    "npz": write_npz,
    "timm": write_timm,
    "onnx": write_onnx,
    "jax": write_jax_export,
}
"""By name, the function that writes it into a folder and proves it:
`write(preset, params, folder, images, logits)`."""
