"""What a person is told."""

from __future__ import annotations

from typing import Literal

import pydantic
import pytest
from records import mixer

from runs.reader import UnknownStudyError
from runs.storage import StorageError
from runs.winners import NoWinnerError
from space.config import Frozen
from space.errors import ConfigError, MixerSearchError, explain, nearest


class Sample(Frozen):
    count: pydantic.PositiveInt = 1
    names: tuple[str, ...] = ()
    colour: Literal["red", "green"] = "red"
    inner: Sample | None = None


def refusal(text: str) -> str:
    with pytest.raises(pydantic.ValidationError) as caught:
        Sample.model_validate_json(text)
    return explain(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"count": 0}', "count: input should be greater than 0, not 0"),
        ('{"count": 1.5}', "count: input should be a valid integer, not 1.5"),
        ('{"count": "x"}', "count: input should be a valid integer, not 'x'"),
        ('{"number": 3}', "number: extra inputs are not permitted"),
        ('{"names": ["a", 2]}', "names.1: input should be a valid string, not 2"),
        ('{"colour": "blue"}', "colour: input should be 'red' or 'green', not 'blue'"),
        ('{"inner": {"count": -1}}', "inner.count: input should be greater than 0, not -1"),
    ],
)
def test_a_refused_value_is_shown_with_its_field_and_the_reason(text: str, sentence: str) -> None:
    assert refusal(text) == sentence


def test_all_that_is_wrong_is_said_at_once() -> None:
    found = refusal('{"count": 0, "colour": "blue", "size": 1}')
    assert [part.partition(":")[0] for part in found.split("; ")] == ["count", "colour", "size"]


def test_a_long_value_is_not_repeated_in_full() -> None:
    """Such as the whole text of a damaged file."""
    assert len(refusal("x" * 10_000)) < 200
    assert len(refusal('{"count": "' + "x" * 10_000 + '"}')) < 200


@pytest.mark.parametrize(
    ("words", "explained"),
    [
        ("the count is even", "count: the count is even, not 3"),
        ("3 is odd; add one", "count: 3 is odd; add one"),  # what to do is all there is to say
    ],
)
def test_a_validators_own_words_stand_without_pydantics_prefix(words: str, explained: str) -> None:
    class Even(Frozen):
        count: int

        @pydantic.field_validator("count")
        @classmethod
        def _even(cls, count: int) -> int:
            if count % 2:
                raise ValueError(words)
            return count

    with pytest.raises(pydantic.ValidationError) as caught:
        Even(count=3)
    assert explain(caught.value) == explained


def test_the_nearest_known_word_is_offered_only_if_it_is_near() -> None:
    known = ["mixer_digits", "mixer_cifar", "mixer_smoke"]
    assert nearest("mixer_digit", known) == " (did you mean 'mixer_digits'?)"
    assert nearest("mixr_cifar", iter(known)) == " (did you mean 'mixer_cifar'?)"
    assert nearest("resnet", known) == ""
    assert nearest("anything", []) == ""
    assert nearest("nope", ["svhn_cropped", "mnist", "open_images_v4"]) == ""


def test_all_errors_a_user_can_mend_are_of_one_family() -> None:
    for error in (ConfigError, StorageError, UnknownStudyError, NoWinnerError):
        assert issubclass(error, MixerSearchError)
        assert error.__doc__
    assert not issubclass(MixerSearchError, ValueError)  # else pydantic would wrap it
    with pytest.raises(ConfigError):
        mixer(patch_size=3)
