"""`docs/examples/predict_jax.py`: an exported file and an image, and JAX alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import export
from pictures import noise, save
from records import mixer

from search.data.resize import resized
from space.build import build
from space.config import ImageTask
from space.init import initial_params

FILE = Path(__file__).parents[1] / "docs" / "examples" / "predict_jax.py"


def test_it_prints_the_probabilities_of_every_class(tmp_path: Path) -> None:
    config = mixer(ImageTask(image_size=8, image_channels=3, num_classes=4))
    params = initial_params(config, 0)
    params["head"]["kernel"] = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)

    @jax.jit
    def probabilities(images: jax.Array) -> jax.Array:
        pixels = (images.astype(jnp.float32) - 120) / 60
        return jax.nn.softmax(build(config).apply({"params": params}, pixels))

    batch = export.symbolic_shape("b")[0]
    shape = jax.ShapeDtypeStruct((batch, 8, 8, 3), jnp.uint8)
    model = tmp_path / "model.jax_export"
    model.write_bytes(export.export(probabilities)(shape).serialize())
    image = noise(20, 31)
    run = subprocess.run(
        [sys.executable, FILE, model, save(tmp_path / "image.png", image)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    labels, found = zip(*(line.split() for line in run.stdout.splitlines()), strict=True)
    assert labels == ("0", "1", "2", "3")
    expected = np.asarray(probabilities(resized(image, 8, "crop")[None]))[0]
    assert np.ptp(expected) > 0.05
    np.testing.assert_allclose(np.array(found, np.float64), expected, atol=2e-6)
