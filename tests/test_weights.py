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
from search.train.weights import weights_bytes
from space.config import Config

FACTS = {"zeta": "1", "study": 'a "quoted" name, ü', "alpha": ""}


@pytest.mark.parametrize("config", [mixer(), vit()])
def test_each_seed_has_its_own_arrays_in_a_file_that_the_library_reads(
    config: Config, tmp_path: Path
) -> None:
    params = initial_state(config, (4, 5), Recipe()).params
    for seed in (0, 1):
        content = weights_bytes(params, seed, FACTS)
        (tmp_path / "w.safetensors").write_bytes(content)
        with safe_open(tmp_path / "w.safetensors", framework="np") as opened:
            assert opened.metadata() == FACTS
        found = load(content)
        leaves = jax.tree_util.tree_leaves_with_path({"params": params})
        assert len(found) == len(leaves)
        for path, leaf in leaves:
            np.testing.assert_array_equal(found["/".join(key.key for key in path)], leaf[seed])


def test_equal_weights_are_equal_bytes(tmp_path: Path) -> None:
    contents = {
        weights_bytes(initial_state(mixer(), (4,), Recipe()).params, 0, FACTS) for _ in range(5)
    }
    assert len(contents) == 1
    (content,) = contents
    size = int.from_bytes(content[:8], "little")
    assert size % 8 == 0, "the arrays behind the header are aligned"
