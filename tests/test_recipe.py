"""The ablation of recipes: what it trains, keeps and works out of pairs."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_rel

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import recipe  # noqa: E402

ENVIRONMENT = os.environ | {"PYTHONPATH": str(BENCHMARKS.parent)}

STUDY = """
name = "tiny"
dataset = "digits"
train_limit = 200

[space]
patch_size = [4]
hidden_dim = [8, 16]
tokens_mlp_dim = [8]
channels_mlp_dim = [16]
num_blocks = [1]

[recipe]
epochs = 2
batch_size = 64
learning_rate = 1e-2
"""


@pytest.fixture
def study(tmp_path: Path) -> list[str]:
    (tmp_path / "tiny.toml").write_text(STUDY)
    words = ["--study", str(tmp_path / "tiny.toml"), "--configs", "2", "--device", "cpu"]
    return [*words, "--results", str(tmp_path / "found.jsonl")]


def lines(study: list[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in Path(study[-1]).read_text().splitlines()]


def figures(found: list[dict[str, object]]) -> set[tuple[object, ...]]:
    """What does not depend on the time."""
    return {
        (line["label"], line["seed"], json.dumps(line["recipe"]), line["accuracy"])
        for line in found
    }


@pytest.mark.slow
def test_what_was_cut_short_is_trained_again_and_nothing_else(study: list[str]) -> None:
    command = [sys.executable, str(BENCHMARKS / "recipe.py"), *study, "--seeds", "2"]
    command += ["--change", "recipe.learning_rate=1e-3"]
    first = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=True)
    whole, printed = lines(study), first.stdout
    assert len(whole) == 2 * 2 * 2, "two Mixers, two seeds, with and without the change"
    kept = Path(study[-1]).read_text().splitlines()[:5]
    Path(study[-1]).write_text("\n".join([*kept, '{"study": "ti']))
    again = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=True)
    found = Path(study[-1]).read_text().splitlines()
    assert found[:5] == kept
    del found[5]
    assert figures([json.loads(line) for line in found]) == figures(whole)
    assert "line 6 is not whole" in again.stderr
    assert again.stdout.count("\n") == printed.count("\n") == 3

    by_hand: dict[str, list[float]] = {}
    for line in whole:
        sign = 1 if line["recipe"]["learning_rate"] == 1e-3 else -1  # type: ignore[index]
        by_hand.setdefault(str(line["label"]), []).append(sign * float(str(line["accuracy"])))
    for label, signed in by_hand.items():
        assert label in printed
        assert f"| {100 * sum(signed) / 2:+.2f} |" in printed


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("trials=3", "trials is no field of the recipe; write it like recipe.ema=0.999"),
        ("recipe.emma=0.9", "no field 'emma' (did you mean 'ema'?)"),
        ("recipe.ema=2", "input should be less than 1, not 2"),
    ],
)
def test_a_change_that_cannot_be_is_said_before_anything_is_trained(
    study: list[str], capsys: pytest.CaptureFixture[str], change: str, says: str
) -> None:
    assert recipe.main([*study, "--change", change]) == 2
    assert says in capsys.readouterr().err
    assert not Path(study[-1]).exists()


def test_of_one_network_the_interval_is_that_of_a_paired_t_test() -> None:
    before, after = np.random.default_rng(0).normal((0.8, 0.82), 0.01, (5, 2)).T
    mean, half = recipe.mean_interval([after - before])
    low, high = ttest_rel(after, before).confidence_interval(0.95)
    assert (mean - half, mean + half) == pytest.approx((low, high))


def test_of_several_networks_it_holds_the_mean_as_often_as_it_says() -> None:
    """Of networks with gains and noise of their own."""
    rng = np.random.default_rng(0)
    gains, noise = np.array([0.0, 0.01, 0.03, -0.02]), np.array([0.004, 0.01, 0.02, 0.01])
    held = []
    for _ in range(2000):
        drawn = rng.normal(gains[:, None], noise[:, None], (4, 3))
        mean, half = recipe.mean_interval(list(drawn))
        held.append(abs(mean - gains.mean()) <= half)
    assert 0.935 < np.mean(held) < 0.975


def test_a_single_seed_has_no_interval() -> None:
    mean, half = recipe.mean_interval([np.array([0.01]), np.array([0.03])])
    assert mean == pytest.approx(0.02)
    assert math.isnan(half)
    gain = recipe.Gain(
        change="recipe.ema=0.9",
        by_network={"a": mean},
        mean=mean,
        half_width=half,
        time_ratio=1.1,
        diverged=0,
    )
    assert "| +2.00 (one seed) | +2.00 | x 1.10 | 0 |" in recipe.table([gain])
