"""A network as one file that JAX alone reads: weights inside, uint8 pixels in, probabilities out.

Its reader needs neither Flax nor this program:

    import jax
    from jax import export

    with open("model.jax_export", "rb") as file:
        classify = jax.jit(export.deserialize(bytearray(file.read())).call)
    probabilities = classify(images)  # uint8 [batch, size, size, channels]

It is no archive. JAX promises that versions built up to six months after the one that wrote a file
read it, counted from their builds and not from the day of the export, and those built up to three
weeks before (https://docs.jax.dev/en/latest/export/export.html#compatibility-guarantees). The
version that wrote it always does. Past that, write it anew from the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import export
from scipy.special import softmax

from search.formats.proof import Proof, over_batches, within
from search.formats.size import check_size
from search.train.device_data import normalised
from search.train.devices import choose
from space.build import build
from space.config import Config
from space.presets import Preset

FILE: Final = "model.jax_export"

PLATFORMS: Final = ("cpu", "cuda", "tpu")

TOLERANCE: Final = 1e-6
"""Of a probability, where no logit exceeds 1; float32 rounds larger ones in proportion."""

_BATCHES = (1, 3, 8)
"""Compared at each of them; JAX compiles the network for each."""


def write_jax_export(
    preset: Preset,
    params: Mapping[str, Any],
    folder: Path,
    images: npt.NDArray[np.uint8],
    logits: npt.NDArray[np.float32],
) -> Proof:
    """Writes `model.jax_export`, reads it back and calls it on the CPU.

    Args:
        preset: of any family; `preset.trained` is set.
        params: its parameter tree, as `Preset.params` gives it.
        folder: that exists.
        images: uint8 [n, size, size, channels].
        logits: float32 [n, num_classes], what the network makes of them in float32.

    Raises:
        FormatError: the weights are more than one file can hold, or what was written gives other
            probabilities.
        DeviceError: JAX was told not to use the CPU, which the proof needs.
        OSError: the file cannot be written.
    """
    trained = preset.trained
    if trained is None:
        raise ValueError(f"preset {preset.name!r} has no weights")
    config = preset.config
    check_size("jax", config)
    compute = probabilities(config, trained.pixel_mean, trained.pixel_std)
    weights = jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), params)
    (batch,) = export.symbolic_shape("batch")
    shape = (batch, config.image_size, config.image_size, config.image_channels)
    pixels = jax.eval_shape(lambda: jnp.zeros(shape, jnp.uint8))
    to_file = export.export(jax.jit(partial(compute, weights)), platforms=PLATFORMS)
    (folder / FILE).write_bytes(to_file(pixels).serialize())
    return _proved(bytearray((folder / FILE).read_bytes()), images, logits)


def probabilities(
    config: Config, pixel_mean: Sequence[float], pixel_std: Sequence[float]
) -> Callable[[Any, jax.Array], jax.Array]:
    """What takes a parameter tree and uint8 images to float32 [batch, num_classes], in float32."""
    network: Any = build(config)

    def compute(params: Any, images: jax.Array) -> jax.Array:
        mean, std = jnp.asarray(pixel_mean, jnp.float32), jnp.asarray(pixel_std, jnp.float32)
        return jax.nn.softmax(network.apply({"params": params}, normalised(images, mean, std)))

    return compute


def _proved(
    content: bytearray, images: npt.NDArray[np.uint8], logits: npt.NDArray[np.float32]
) -> Proof:
    call = jax.jit(export.deserialize(content).call)
    cpu = choose("cpu")
    expected = softmax(logits.astype(np.float64), axis=-1)
    difference = over_batches(
        lambda pixels: call(jax.device_put(pixels, cpu)), images, expected, _BATCHES
    )
    allowed = TOLERANCE * max(1.0, float(np.abs(logits).max()))
    read_by, today = f"jax {jax.__version__}", datetime.now(UTC).date()
    return Proof(
        format="jax",
        files=(FILE,),
        read_by=read_by,
        max_difference=within("jax", read_by, difference, allowed),
        num_images=len(images),
        note=(
            "takes uint8 pixels [batch, size, size, channels] and gives probabilities, on "
            f"{', '.join(PLATFORMS)}, any batch size (compiled for each); load only what you "
            f"trust; written on {today} by jaxlib {version_of('jaxlib')}, which always reads it; "
            "good until JAX is six months newer than that version: then export it anew"
        ),
    )
