"""The search space against brute force over all its members."""

from __future__ import annotations

import itertools

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records import CIFAR, DIGITS, mixers

from space.config import ImageTask
from space.cost import cost
from space.errors import ConfigError
from space.families import FAMILIES
from space.mixer_family import MixerRanges
from space.ranges import fitting_patches
from space.search_space import SearchSpace, fitted
from space.vit_family import ViTRanges


def choices(values: st.SearchStrategy[int]) -> st.SearchStrategy[tuple[int, ...]]:
    return st.sets(values, min_size=1, max_size=3).map(lambda found: tuple(sorted(found)))


SPACES = st.builds(
    mixers,
    patch_size=choices(st.sampled_from([1, 2, 4, 8])),
    hidden_dim=choices(st.integers(1, 60)),
    tokens_mlp_dim=choices(st.integers(1, 60)),
    channels_mlp_dim=choices(st.integers(1, 60)),
    num_blocks=choices(st.integers(1, 6)),
)
VIT_SPACES = st.builds(
    lambda **ranges: SearchSpace("vit", ranges),
    patch_size=choices(st.sampled_from([1, 2, 4, 8])),
    hidden_dim=choices(st.integers(1, 60)),
    num_blocks=choices(st.integers(1, 6)),
    mlp_dim=choices(st.integers(1, 60)),
    num_heads=choices(st.integers(1, 6)),
).filter(lambda space: space.size > 0)
SMALL = mixers(
    patch_size=(2, 4),
    hidden_dim=(8, 16, 24),
    tokens_mlp_dim=(8,),
    channels_mlp_dim=(16, 32),
    num_blocks=(1, 3),
)


def test_the_size_is_the_number_of_different_members() -> None:
    members = list(SMALL.members(DIGITS))
    assert SMALL.size == 24 == len(members) == len(set(members))
    assert all(member.task == DIGITS for member in members)


def test_members_come_with_the_first_parameter_varying_slowest() -> None:
    drawn = [
        tuple(getattr(member, name) for name in SMALL.ranges) for member in SMALL.members(DIGITS)
    ]
    assert drawn == list(itertools.product((2, 4), (8, 16, 24), (8,), (16, 32), (1, 3)))


@settings(deadline=None, max_examples=25)
@given(space=SPACES | VIT_SPACES)
def test_cheapest_and_dearest_are_those_of_all_members(space: SearchSpace) -> None:
    flops = [cost(member).flops for member in space.members(DIGITS)]
    cheapest, most_expensive = space.cheapest(DIGITS), space.most_expensive(DIGITS)
    assert cost(cheapest).flops == min(flops)
    assert cost(most_expensive).flops == max(flops)
    assert {cheapest, most_expensive} <= set(space.members(DIGITS))


@settings(deadline=None, max_examples=25)
@given(space=SPACES | VIT_SPACES, share=st.floats(0, 1))
def test_narrowing_to_a_budget_loses_no_member_within_it(space: SearchSpace, share: float) -> None:
    flops = {member: cost(member).flops for member in space.members(DIGITS)}
    low, high = min(flops.values()), max(flops.values())
    budget = low + share * (high - low)
    narrowed = set(space.within(DIGITS, budget).members(DIGITS))
    affordable = {member for member, count in flops.items() if count <= budget}
    assert affordable <= narrowed <= set(flops)
    for name in space.ranges:  # and every value that is left has a member that can be had
        assert {getattr(m, name) for m in narrowed} == {getattr(m, name) for m in affordable}


@settings(deadline=None, max_examples=25)
@given(space=VIT_SPACES)
def test_vits_whose_heads_do_not_divide_their_channels_are_no_members(space: SearchSpace) -> None:
    members = list(space.members(DIGITS))
    assert len(members) == len(set(members)) == space.size <= space.product_size
    every = [dict(zip(space.ranges, values, strict=True)) for values in space.values()]
    assert members == [space.member(DIGITS, **values) for values in every]
    both = itertools.product(space.ranges["hidden_dim"], space.ranges["num_heads"])
    held = {pair for pair in both if pair[0] % pair[1] == 0}
    assert {(config.hidden_dim, config.num_heads) for config in members} == held
    assert {config.classifier for config in members} == {"gap"}


def test_a_draw_that_is_no_network_becomes_the_nearest_that_is() -> None:
    space = SearchSpace(
        "vit",
        {
            "patch_size": (2, 4),
            "hidden_dim": (10, 16, 32),
            "num_blocks": (1,),
            "mlp_dim": (8, 16),
            "num_heads": (1, 2, 3, 4, 8),
        },
    )
    assert space.nearest((4, 16, 1, 8, 4)) == (4, 16, 1, 8, 4)
    assert space.nearest((4, 16, 1, 8, 3)) == (4, 16, 1, 8, 2)
    assert space.nearest((2, 10, 1, 16, 8)) == (2, 16, 1, 16, 8)


def test_a_space_of_vits_without_any_member_is_refused() -> None:
    ranges = ViTRanges(hidden_dim=(10,), num_heads=(3, 4))
    with pytest.raises(ConfigError, match=r"no values of hidden_dim and num_heads .* widen"):
        fitted("vit", ranges, CIFAR).within(CIFAR, 10**9)


def test_a_budget_below_the_cheapest_member_is_refused_with_its_price() -> None:
    cheapest = cost(SMALL.cheapest(DIGITS)).flops
    assert SMALL.within(DIGITS, cheapest).size >= 1
    with pytest.raises(
        ConfigError, match=f"the cheapest has {cheapest:,} FLOPs: raise --max-flops"
    ):
        SMALL.within(DIGITS, cheapest - 1)


@pytest.mark.parametrize(
    ("image_size", "patches"),
    [
        (8, (1, 2)),
        (28, (2, 4, 7)),
        (32, (2, 4, 8)),
        (96, (6, 8, 12, 16, 24)),
        (224, (14, 16, 28, 32, 56)),
        (64, (4, 8, 16)),
        (31, (1,)),
        (97, (97,)),
        (1, (1,)),
        (2, (1,)),
    ],
)
def test_fitted_patches_tile_the_image_into_16_to_256_tokens_where_any_do(
    image_size: int, patches: tuple[int, ...]
) -> None:
    task = ImageTask(image_size=image_size, image_channels=3, num_classes=10)
    assert fitting_patches(image_size) == patches
    for family in FAMILIES.values():
        assert fitted(family.name, family.ranges(), task).ranges["patch_size"] == patches


@settings(deadline=None)
@given(image_size=st.integers(1, 600))
def test_every_image_size_has_a_space_of_networks_that_can_be_built(image_size: int) -> None:
    task = ImageTask(image_size=image_size, image_channels=1, num_classes=2)
    for family in FAMILIES.values():
        space = fitted(family.name, family.ranges(), task)
        assert all(image_size % patch_size == 0 for patch_size in space.ranges["patch_size"])
        assert cost(space.cheapest(task)).flops <= cost(space.most_expensive(task)).flops


def test_ranges_that_are_given_stay_and_the_others_are_fitted() -> None:
    space = fitted("mixer", MixerRanges(hidden_dim=(40, 48), num_blocks=(3,)), CIFAR)
    open_ranges = MixerRanges.fitting(32)
    assert space.ranges == open_ranges | {"hidden_dim": (40, 48), "num_blocks": (3,)}


def test_a_list_of_values_is_kept_ascending_and_once_each() -> None:
    assert MixerRanges.model_validate({"hidden_dim": [64, 32, 64, 8]}).hidden_dim == (8, 32, 64)


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ({"low": 64, "high": 256, "step": 64}, (64, 128, 192, 256)),
        ({"low": 64, "high": 255, "step": 64}, (64, 128, 192)),
        ({"low": 3, "high": 5}, (3, 4, 5)),
        ({"low": 7, "high": 7, "step": 100}, (7,)),
    ],
)
def test_a_range_can_be_a_table(table: dict[str, int], values: tuple[int, ...]) -> None:
    assert MixerRanges.model_validate({"num_blocks": table}).num_blocks == values


@pytest.mark.parametrize(
    ("given_range", "words"),
    [
        ({"low": 8, "high": 4}, "the range is empty, low=8 is above high=4"),
        ({"low": 0, "high": 4}, "low, high and step are positive whole numbers"),
        ({"low": 1, "high": 4, "step": 0}, "low, high and step are positive whole numbers"),
        ({"low": 1, "high": 4.0}, "low, high and step are positive whole numbers"),
        ({"low": True, "high": 4}, "low, high and step are positive whole numbers"),
        ({"low": 1}, "a table of low, high and maybe step"),
        ({"low": 1, "high": 4, "stop": 1}, "a table of low, high and maybe step"),
        ([], "at least 1 item"),
        ([4, 0], "greater than 0"),
        ([4, "8"], "whole numbers"),
        ([4, True], "whole numbers"),
        (8, "a range is a list of whole numbers, or a table"),
        ("8", "a range is a list of whole numbers, or a table"),
    ],
)
def test_a_range_that_is_none_is_refused(given_range: object, words: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=words) as caught:
        MixerRanges.model_validate({"hidden_dim": given_range})
    assert caught.value.errors()[0]["loc"][0] == "hidden_dim"


def test_a_range_nobody_knows_is_refused() -> None:
    with pytest.raises(pydantic.ValidationError, match="dropout"):
        MixerRanges.model_validate({"dropout": [1]})


def test_a_patch_that_does_not_tile_the_images_is_refused_naming_the_field() -> None:
    with pytest.raises(ConfigError) as caught:
        fitted("mixer", MixerRanges(patch_size=(4, 5)), CIFAR)
    assert str(caught.value) == (
        "space.patch_size: 5 does not tile images of 32 pixels; use some of 1, 2, 4, 8, 16, 32"
    )


def test_ranges_survive_json() -> None:
    ranges = MixerRanges(hidden_dim=(8, 16))
    assert MixerRanges.model_validate_json(ranges.model_dump_json()) == ranges
