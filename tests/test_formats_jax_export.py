"""jax.export: a file that a process with JAX alone reads, at any batch size."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import numpy.typing as npt
import pytest
from jax import export
from records import CIFAR, mixer, vit

from search.formats.jax_export import write_jax_export
from search.formats.proof import FormatError, Proof
from search.train.predict import logits_of
from space.config import Config
from space.init import initial_params
from space.presets import Preset, Trained

MEAN, STD = (125.3, 122.95, 113.87), (62.99, 62.09, 66.7)

READER = """
import sys
import jax, numpy as np
from jax import export
with open(sys.argv[1], "rb") as file:
    classify = jax.jit(export.deserialize(bytearray(file.read())).call)
np.save(sys.argv[3], classify(np.load(sys.argv[2])))
assert not {"flax", "space", "search"} & sys.modules.keys()
"""


def trained(config: Config, head: float = 0.5) -> dict[str, Any]:
    params = initial_params(config, 0)
    kernel = params["head"]["kernel"]
    params["head"]["kernel"] = np.random.default_rng(0).normal(0, head, kernel.shape)
    return params


def written(
    config: Config, folder: Path, count: int = 5, head: float = 0.5
) -> tuple[Proof, npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """The proof, the images and the logits that were compared."""
    mean, std = MEAN[: config.image_channels], STD[: config.image_channels]
    size = config.image_size
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, size, size, config.image_channels), np.uint8)
    params = trained(config, head)
    logits = logits_of(config, params, images, mean, std, jax.devices("cpu")[0])
    facts = Trained(sha256="5" * 64, size_bytes=1, pixel_mean=mean, pixel_std=std)
    preset = Preset.of("found", config, {}, facts)
    return write_jax_export(preset, params, folder, images, logits), images, logits


@pytest.fixture(scope="module")
def mixer_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a small Mixer."""
    folder = tmp_path_factory.mktemp("winner")
    written(mixer(), folder)
    return folder / "model.jax_export"


def test_a_process_with_jax_alone_reads_the_file(tmp_path: Path) -> None:
    proof, images, logits = written(vit(CIFAR, patch_size=8, classifier="token"), tmp_path)
    assert proof.read_by == f"jax {jax.__version__}"
    assert proof.max_difference is not None
    assert proof.max_difference < 1e-6
    assert (proof.files, proof.num_images) == (("model.jax_export",), 5)
    np.save(tmp_path / "images.npy", images)
    paths = [str(tmp_path / n) for n in ("model.jax_export", "images.npy", "found.npy")]
    subprocess.run([sys.executable, "-c", READER, *paths], check=True, cwd=tmp_path)
    found = np.load(tmp_path / "found.npy")
    np.testing.assert_allclose(found, jax.nn.softmax(logits), rtol=0, atol=1e-6)


def test_the_file_is_for_every_platform_and_takes_pixels(mixer_file: Path) -> None:
    read = export.deserialize(bytearray(mixer_file.read_bytes()))
    assert read.platforms == ("cpu", "cuda", "tpu")
    [pixels], [shares] = read.in_avals, read.out_avals
    assert (str(pixels.shape), pixels.dtype) == ("(batch, 8, 8, 1)", np.uint8)
    assert (str(shares.shape), shares.dtype) == ("(batch, 10)", np.float32)


def test_a_file_that_computes_something_else_is_refused(tmp_path: Path) -> None:
    images, logits = np.zeros((1, 8, 8, 1), np.uint8), np.zeros((1, 10), np.float32)
    facts = Trained(sha256="5" * 64, size_bytes=1, pixel_mean=(120.0,), pixel_std=(62.0,))
    preset = Preset.of("found", mixer(), {}, facts)
    with pytest.raises(FormatError, match="differ by"):
        write_jax_export(preset, trained(mixer()), tmp_path, images, logits)


def test_large_logits_which_float32_rounds_more_are_no_hindrance(tmp_path: Path) -> None:
    proof, _, logits = written(mixer(num_blocks=4), tmp_path, count=64, head=20.0)
    assert np.abs(logits).max() > 10
    assert proof.max_difference is not None
    assert proof.max_difference < 1e-6 * np.abs(logits).max()
