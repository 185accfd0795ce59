"""Weights as bytes: the same for the same weights, and any reader of the format reads them."""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np
import pytest
from records import mixer, vit
from safetensors import safe_open
from safetensors.numpy import load

from search.spec.recipe import Recipe
from search.train.epoch import initial_state
from space.config import Config
from space.init import initial_params
from space.weights_file import params_in, weights_bytes

FACTS = {"zeta": "1", "study": 'a "quoted" name, ü', "alpha": ""}


@pytest.mark.parametrize("config", [mixer(), vit()])
def test_each_seed_has_its_own_arrays_in_a_file_that_the_library_reads(
    config: Config, tmp_path: Path
) -> None:
    params = initial_state(config, (4, 5), Recipe()).params
    for seed in (0, 1):
        mine = jax.tree.map(lambda leaf, seed=seed: leaf[seed], params)
        content = weights_bytes(mine, FACTS)
        (tmp_path / "w.safetensors").write_bytes(content)
        with safe_open(tmp_path / "w.safetensors", framework="np") as opened:
            assert opened.metadata() == FACTS
        found = load(content)
        leaves = jax.tree_util.tree_leaves_with_path({"params": params})
        assert len(found) == len(leaves)
        for path, leaf in leaves:
            np.testing.assert_array_equal(found["/".join(key.key for key in path)], leaf[seed])


def test_the_tree_comes_back() -> None:
    params = initial_params(vit(), 4)
    back = params_in(weights_bytes(params, FACTS))
    assert jax.tree.structure(back) == jax.tree.structure(params)
    jax.tree.map(np.testing.assert_array_equal, back, params)


def test_equal_weights_are_equal_bytes(tmp_path: Path) -> None:
    contents = {weights_bytes(initial_params(mixer(), 4), FACTS) for _ in range(5)}
    assert len(contents) == 1
    (content,) = contents
    size = int.from_bytes(content[:8], "little")
    assert size % 8 == 0, "the arrays behind the header are aligned"
