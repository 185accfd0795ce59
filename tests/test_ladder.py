"""The ladder of ViT baselines over a range of FLOPs."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records import CIFAR, DIGITS

from space.config import ImageTask
from space.cost import cost
from space.families import FAMILIES
from space.ladder import ladder as ladder_of


def flops_of(task: ImageTask, low: float, high: float, rungs: int) -> list[int]:
    ladder = ladder_of(FAMILIES["vit"], task, min_cost=low, max_cost=high, rungs=rungs)
    return [cost(config).flops for config in ladder]


@settings(deadline=None, max_examples=15)
@given(
    size=st.sampled_from([8, 28, 29, 32, 97]),
    low=st.floats(1e4, 1e9),
    decades=st.floats(0, 4),
    rungs=st.integers(0, 12),
)
def test_rungs_are_different_cheapest_first_and_under_the_ceiling(
    size: int, low: float, decades: float, rungs: int
) -> None:
    task = ImageTask(image_size=size, image_channels=3, num_classes=10)
    ladder = ladder_of(FAMILIES["vit"], task, min_cost=low, max_cost=low * 10**decades, rungs=rungs)
    flops = [cost(config).flops for config in ladder]
    assert len(ladder) <= rungs
    assert flops == sorted(set(flops))
    assert all(count <= low * 10**decades for count in flops)
    assert all(config.task == task for config in ladder)


@pytest.mark.parametrize("rungs", [2, 4, 6, 8])
def test_a_wide_range_is_covered_evenly_over_log_flops(rungs: int) -> None:
    low, high = 1e6, 1e9
    flops = flops_of(CIFAR, low, high, rungs)
    assert len(flops) == rungs
    assert low / 2 < flops[0] < 2 * low
    assert high / 2 < flops[-1] <= high
    step = math.log(high / low) / (rungs - 1)
    gaps = [math.log(b / a) for a, b in itertools.pairwise(flops)]
    assert all(0.4 * step < gap < 1.6 * step for gap in gaps)


def test_one_rung_stands_in_the_middle() -> None:
    (flops,) = flops_of(CIFAR, 1e6, 1e10, 1)
    assert 0.5e8 < flops < 2e8


def test_a_range_too_narrow_for_so_many_gives_fewer_and_does_not_leave_it() -> None:
    flops = flops_of(CIFAR, 9e6, 11e6, 6)
    assert 1 <= len(flops) < 6
    assert all(5e6 < count <= 11e6 for count in flops)


def test_a_ceiling_below_every_vit_gives_none() -> None:
    assert flops_of(CIFAR, 10, 1000, 4) == []


@pytest.mark.parametrize("size", [1, 2, 5, 29, 31, 97])
def test_images_of_an_odd_size_have_baselines_too(size: int) -> None:
    task = ImageTask(image_size=size, image_channels=1, num_classes=10)
    assert len(flops_of(task, 1e3, 1e12, 4)) >= 3


def test_rungs_are_small_vits_as_they_are_published() -> None:
    """Mean-pooled, heads of 32 channels, MLPs twice as wide, at least 16 and at most 256 tokens."""
    for config in ladder_of(FAMILIES["vit"], CIFAR, min_cost=1e6, max_cost=1e10, rungs=12):
        assert config.classifier == "gap"
        assert config.hidden_dim // config.num_heads == min(32, config.hidden_dim)
        assert config.mlp_dim == 2 * config.hidden_dim
        assert 16 <= config.num_patches <= 256


def test_a_study_that_goes_on_finds_its_baselines_again() -> None:
    ladder = ladder_of(FAMILIES["vit"], DIGITS, min_cost=4e4, max_cost=8e6, rungs=3)
    shapes = [(config.patch_size, config.hidden_dim, config.num_blocks) for config in ladder]
    assert shapes == [(2, 16, 1), (2, 32, 2), (2, 64, 4)]
    assert ladder_of(FAMILIES["vit"], DIGITS, min_cost=4e4, max_cost=8e6, rungs=3) == ladder
