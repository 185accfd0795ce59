"""Options for XLA: added to the user's, and harmless to the numbers."""

from __future__ import annotations

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

from search.train.xla_options import compiler_options, use_xla_options

OURS = "--xla_backend_extra_options=xla_cpu_disable_loop_unrolling,xla_cpu_use_multi_output_fusion"

TRAIN = """
import jax
from search import data as images
from search.train.device_data import put
from search.train.engine import Engine
from search.protocol import EpochDone, TrialRequest
from search.spec.recipe import Recipe
from space.config import MixerConfig

device = jax.devices("cpu")[0]
config = MixerConfig(
    image_size=8, image_channels=1, num_classes=10, patch_size=2, hidden_dim=24, num_blocks=3,
    tokens_mlp_dim=16, channels_mlp_dim=48,
)
request = TrialRequest(
    numbers=(0,), seeds=(0,), config=config, recipe=Recipe(epochs=3, batch_size=64)
)
with Engine(put(images.load("digits", train_limit=512), device), device) as engine:
    for event in engine.run(request):
        if isinstance(event, EpochDone):
            print(event.epochs[0].train_loss, event.epochs[0].validation_loss)
"""


def test_options_for_a_gpu_are_known_to_xla_and_left_to_the_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XLA_FLAGS", "")
    assert compiler_options("cpu") == {} == compiler_options("tpu")
    options = compiler_options("gpu")
    square = jax.jit(lambda x: x @ x).lower(jnp.ones((2, 2)))
    square.compile(compiler_options=options)
    with pytest.raises(jax.errors.JaxRuntimeError, match="No such compile option"):
        square.compile(compiler_options={**options, "xla_gpu_enable_nothing": False})
    monkeypatch.setenv("XLA_FLAGS", "--xla_gpu_enable_triton_gemm=true")
    assert compiler_options("gpu") == {}


@pytest.mark.parametrize(
    ("given", "then"),
    [
        (None, OURS),
        ("--xla_cpu_enable_fast_math=true", f"--xla_cpu_enable_fast_math=true {OURS}"),
        ("--xla_backend_extra_options=mine", "--xla_backend_extra_options=mine"),
    ],
)
def test_flags_of_the_user_are_kept(
    monkeypatch: pytest.MonkeyPatch, given: str | None, then: str
) -> None:
    monkeypatch.setenv("XLA_FLAGS", given or "")
    use_xla_options()
    assert os.environ["XLA_FLAGS"] == then
    use_xla_options()
    assert os.environ["XLA_FLAGS"] == then


@pytest.mark.slow
def test_training_goes_the_same_way_with_and_without_them() -> None:
    curves = []
    for flags in ("", OURS):
        done = subprocess.run(
            [sys.executable, "-c", TRAIN],
            env=os.environ | {"XLA_FLAGS": flags},
            capture_output=True,
            text=True,
            check=True,
        )
        curves.append([float(number) for number in done.stdout.split()])
    assert len(curves[0]) == 6
    assert curves[1] == pytest.approx(curves[0], rel=1e-3)
