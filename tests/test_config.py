"""Configurations: valid from birth, immutable, and the same after a trip through JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records import CIFAR, DIGITS, IMAGENET, mixer, vit

from space.build import build
from space.config import (
    Config,
    ImageTask,
    MixerConfig,
    PatchNetwork,
    ViTConfig,
    divisors,
)
from space.cost import cost, training_bytes
from space.errors import ConfigError
from space.families import UnknownFamilyError, label_of, parse_config
from space.init import initial_params


def test_patches_that_do_not_tile_the_image_are_refused_naming_field_and_remedy() -> None:
    with pytest.raises(ConfigError) as caught:
        mixer(CIFAR, patch_size=5)
    assert str(caught.value) == (
        "patch_size=5 does not tile image_size=32; use one of 1, 2, 4, 8, 16, 32"
    )
    with pytest.raises(ConfigError, match="patch_size=3 does not tile image_size=8"):
        vit(patch_size=3)


def test_heads_that_do_not_split_the_channels_are_refused_naming_field_and_remedy() -> None:
    with pytest.raises(ConfigError) as caught:
        vit(hidden_dim=12, num_heads=5)
    assert str(caught.value) == (
        "num_heads=5 does not divide hidden_dim=12; use one of 1, 2, 3, 4, 6, 12"
    )


@pytest.mark.parametrize(
    "field", sorted(MixerConfig.model_fields.keys() - {"family", "image_channels"})
)
@pytest.mark.parametrize("value", [0, -1, 4.0, "4", True, None])
def test_mixer_fields_are_positive_whole_numbers_and_nothing_is_converted(
    field: str, value: object
) -> None:
    with pytest.raises(pydantic.ValidationError, match=field):
        mixer(**{field: value})


@pytest.mark.parametrize("field", ["mlp_dim", "num_heads", "hidden_dim", "num_blocks"])
@pytest.mark.parametrize("value", [0, -1, 4.0, "4", True, None])
def test_vit_fields_are_positive_whole_numbers_and_nothing_is_converted(
    field: str, value: object
) -> None:
    with pytest.raises(pydantic.ValidationError, match=field):
        vit(**{field: value})


def test_images_have_one_or_three_channels_and_there_are_two_classes_to_tell_apart() -> None:
    with pytest.raises(pydantic.ValidationError, match="image_channels"):
        ImageTask(image_size=8, image_channels=2, num_classes=10)  # type: ignore[arg-type]
    with pytest.raises(pydantic.ValidationError, match="num_classes"):
        ImageTask(image_size=8, image_channels=3, num_classes=1)
    with pytest.raises(pydantic.ValidationError, match="classifier"):
        vit(classifier="mean")


def test_a_field_nobody_knows_is_refused() -> None:
    with pytest.raises(pydantic.ValidationError, match="dropout"):
        mixer(dropout=0.1)


def test_a_config_cannot_be_changed_and_equal_ones_hash_alike() -> None:
    config = mixer()
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        config.hidden_dim = 16
    assert {mixer(), mixer(), vit(), vit(num_blocks=3)} == {mixer(), vit(), vit(num_blocks=3)}


@pytest.mark.parametrize(
    ("config", "patches"),
    [
        (mixer(IMAGENET, patch_size=16), 196),
        (mixer(IMAGENET, patch_size=32), 49),
        (mixer(IMAGENET, patch_size=14), 256),
        (mixer(CIFAR, patch_size=4), 64),
        (mixer(DIGITS, patch_size=8), 1),
    ],
)
def test_the_number_of_patches_is_derived(config: MixerConfig, patches: int) -> None:
    assert config.num_patches == patches
    assert "num_patches" not in config.model_dump()


def test_a_class_token_lengthens_the_sequence_by_one() -> None:
    assert vit(CIFAR, patch_size=4, classifier="token").num_tokens == 65
    assert vit(CIFAR, patch_size=4, classifier="gap").num_tokens == 64


def test_a_config_knows_its_task() -> None:
    assert mixer(CIFAR).task == CIFAR == vit(CIFAR).task
    assert type(mixer(CIFAR).task) is ImageTask


@pytest.mark.parametrize("config", [mixer(), vit(), vit(classifier="gap")])
def test_a_config_survives_json(config: Config) -> None:
    back = parse_config(json.loads(json.dumps(config.model_dump(mode="json"))))
    assert back == config
    assert type(back) is type(config)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hidden_dim": "12"}, "hidden_dim: input should be a valid integer, not '12'"),
        ({"hidden_dim": 0}, "hidden_dim: input should be greater than 0, not 0"),
        ({"hiden_dim": 12}, "hiden_dim: extra inputs are not permitted"),
        ({"patch_size": 3}, "patch_size=3 does not tile image_size=8"),
        ({"family": "cnn"}, "family 'cnn' is unknown; known: mixer, vit, or install the package"),
    ],
)
def test_fields_that_are_no_config_are_refused_in_a_sentence(
    change: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_config(mixer().model_dump() | change)


@pytest.mark.parametrize("left_out", ["family", "hidden_dim", "num_classes"])
def test_a_missing_field_is_named(left_out: str) -> None:
    fields = mixer().model_dump()
    del fields[left_out]
    with pytest.raises(ConfigError, match=left_out):
        parse_config(fields)


def test_no_field_of_the_other_family_is_taken() -> None:
    with pytest.raises(ConfigError, match="tokens_mlp_dim"):
        parse_config(mixer().model_dump() | {"family": "vit"})
    with pytest.raises(ConfigError, match="num_heads"):
        parse_config(vit().model_dump() | {"family": "mixer"})


def test_the_json_of_a_config_stays_as_it_is() -> None:
    """The lot that exempts a trial from early stopping is drawn by it."""
    assert mixer().model_dump_json() == (
        '{"image_size":8,"image_channels":1,"num_classes":10,"patch_size":2,"hidden_dim":12,'
        '"num_blocks":2,"family":"mixer","tokens_mlp_dim":8,"channels_mlp_dim":20}'
    )
    assert vit().model_dump_json() == (
        '{"image_size":8,"image_channels":1,"num_classes":10,"patch_size":2,"hidden_dim":12,'
        '"num_blocks":2,"family":"vit","mlp_dim":20,"num_heads":3,"classifier":"token"}'
    )


@settings(deadline=None)
@given(st.integers(1, 3000))
def test_divisors_are_those_numbers_that_leave_no_remainder(number: int) -> None:
    found = divisors(number)
    assert found == sorted(set(found))
    assert {number // d for d in found} == set(found)  # they come in pairs
    assert all((number % d == 0) == (d in found) for d in range(1, number + 1))


def test_families_share_the_fields_of_a_patch_network() -> None:
    shared = {"image_size", "image_channels", "num_classes", "patch_size", "hidden_dim"}
    shared |= {"num_blocks", "family"}
    assert MixerConfig.model_fields.keys() & ViTConfig.model_fields.keys() == shared


def training_bytes_of_one(config: Config) -> int:
    return training_bytes(config, batch_size=1)


def initial_params_of_seed_0(config: Config) -> dict[str, Any]:
    return initial_params(config, seed=0)


class ThirdConfig(PatchNetwork):
    """A family nobody has taught the rest of the program."""

    family: Literal["third"] = "third"


@pytest.mark.parametrize(
    "ask",
    [build, cost, training_bytes_of_one, label_of, initial_params_of_seed_0],
    ids=lambda function: function.__name__,
)
def test_a_family_that_is_not_registered_is_refused_by_its_name(
    ask: Callable[[Any], object],
) -> None:
    third = ThirdConfig(**DIGITS.model_dump(), patch_size=2, hidden_dim=12, num_blocks=2)
    with pytest.raises(UnknownFamilyError, match=r"family 'third' (is unknown|has no network)"):
        ask(third)
