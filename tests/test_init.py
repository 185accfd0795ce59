"""Initial weights drawn with NumPy, held against Flax's own, array by array."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from records import mixer, vit
from scipy.stats import ks_2samp

from space.build import build
from space.config import Config
from space.init import initial_params, param_shapes

WIDE = {"hidden_dim": 48, "num_blocks": 2}
NETWORKS = {
    "mixer": mixer(**WIDE, tokens_mlp_dim=40, channels_mlp_dim=96),
    "vit": vit(**WIDE, mlp_dim=96),
    "vit with a mean": vit(**WIDE, mlp_dim=96, classifier="gap"),
}


@pytest.mark.parametrize("config", NETWORKS.values(), ids=NETWORKS)
def test_every_array_is_distributed_as_flax_draws_it(config: Config) -> None:
    image = jnp.zeros((1, config.image_size, config.image_size, config.image_channels))
    theirs = jax.jit(build(config).init)(jax.random.key(0), image)["params"]
    ours = initial_params(config, seed=0)

    def compare(path: object, a: np.ndarray, b: np.ndarray) -> None:
        b = np.asarray(b)
        assert a.dtype == b.dtype == np.float32
        assert a.shape == b.shape
        if b.std() == 0:
            np.testing.assert_array_equal(a, b)
        else:
            assert ks_2samp(a.ravel(), b.ravel()).pvalue > 1e-4, path
            few = 1.0 + 4.0 / np.sqrt(a.size)  # a sample of so many cannot be told closer
            assert 1 / few < a.std() / b.std() < few, path
            if "kernel" in str(path):  # cut off, or uniform
                assert np.abs(a).max() <= 1.01 * max(np.abs(b).max(), 2 * b.std() * few), path

    jax.tree_util.tree_map_with_path(compare, ours, theirs)


@pytest.mark.parametrize("config", NETWORKS.values(), ids=NETWORKS)
def test_equal_seeds_give_equal_weights_and_other_seeds_others(config: Config) -> None:
    first, again, other = (initial_params(config, seed) for seed in (3, 3, 4))
    jax.tree.map(np.testing.assert_array_equal, first, again)
    assert any(
        not np.array_equal(a, b)
        for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(other), strict=True)
    )


def test_no_two_kernels_of_a_network_are_alike() -> None:
    params = initial_params(NETWORKS["mixer"], 0)
    first, second = (params[f"MixerBlock_{i}"]["channel_mixing"] for i in range(2))
    assert not np.array_equal(first["Dense_0"]["kernel"], second["Dense_0"]["kernel"])


def test_shapes_are_known_without_drawing() -> None:
    config = NETWORKS["mixer"]
    drawn, shapes = initial_params(config, 0), param_shapes(config)
    jax.tree.map(lambda a, s: np.testing.assert_equal(a.shape, s.shape), drawn, shapes)
