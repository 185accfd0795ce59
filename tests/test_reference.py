"""The reference in NumPy: what Flax computes, without it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from records import mixer, vit
from weights import (
    OtherConfig,
    drawn_config,
    drawn_images,
    drawn_params,
    flax_logits,
    trained_folder,
)

from space.build import build
from space.config import Config
from space.errors import ConfigError
from space.reference import logits

ROOT = Path(__file__).parents[1]


def applied(config: Config, params: object, images: np.ndarray) -> np.ndarray:
    return np.asarray(jax.jit(build(config).apply)({"params": params}, images))


@pytest.mark.parametrize("family", ["mixer", "vit"])
@pytest.mark.parametrize("seed", range(11))
def test_it_computes_what_flax_does(family: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    config = drawn_config(family, rng)
    params = drawn_params(config, seed)
    images = rng.standard_normal(drawn_images(config).shape).astype(np.float32)
    expected = applied(config, params, images)
    found = logits(config, params, images)
    assert found.dtype == np.float32
    assert np.std(expected) > 0.05, "there is something to compare"
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("config", [mixer(), vit(), vit(classifier="gap")])
def test_in_double_precision_only_the_rounding_differs(config: Config) -> None:
    params, images = drawn_params(config), drawn_images(config) / 255
    single = logits(config, params, images)
    double = logits(config, params, images, np.float64)
    assert double.dtype == np.float64
    difference = np.abs(single - double).max()
    assert 0 < difference < 1e-5
    # A network without rounding has no differences as large as that of float32 between batches
    apart = np.concatenate([logits(config, params, images[i : i + 1], np.float64) for i in (0, 1)])
    np.testing.assert_allclose(apart, double[:2], rtol=0, atol=1e-13)


@pytest.mark.parametrize("config", [mixer(), vit()], ids=["mixer", "vit"])
def test_a_process_without_jax_reproduces_the_logits_of_a_folder(
    tmp_path: Path, config: Config
) -> None:
    params, images = drawn_params(config), drawn_images(config, 64)
    preset = trained_folder(tmp_path / "winner", config, params)
    np.save(tmp_path / "images.npy", images)
    code = (
        "import sys\n"
        "import numpy as np\n"
        "from space.presets import load\n"
        "from space.reference import logits\n"
        "preset = load('winner')\n"
        "pixels = (np.load('images.npy') - preset.trained.pixel_mean) / preset.trained.pixel_std\n"
        "np.save('logits.npy', logits(preset.config, preset.params(), pixels))\n"
        "print(*sorted({'jax', 'flax', 'jaxlib', 'torch', 'pandas'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "\n"
    found = np.load(tmp_path / "logits.npy")
    np.testing.assert_allclose(found, flax_logits(preset, params, images), rtol=0, atol=1e-5)


def test_a_family_that_it_does_not_know_is_refused() -> None:
    config = OtherConfig(image_size=8, image_channels=1, num_classes=10)
    with pytest.raises(ConfigError, match="family 'other' has no reference in NumPy"):
        logits(config, {}, drawn_images(config))
