"""A few trials beside each other."""

from __future__ import annotations

import pytest
from records import CIFAR, mixer, study, trial, vit
from sample_study import HOSTILE

from runs.side_by_side import (
    MOST,
    TrialChoiceError,
    in_common,
    side_by_side,
    suggested,
    trials_named,
)
from runs.snapshot import Snapshot

CONFIGS = [
    mixer(CIFAR, hidden_dim=16, num_blocks=2),
    mixer(CIFAR, hidden_dim=24, num_blocks=2),
    vit(CIFAR, hidden_dim=24, num_blocks=2),
]


def snapshot(count: int = 10) -> Snapshot:
    trials = [
        trial(n, config=CONFIGS[n]) if n < len(CONFIGS) else trial(n, accuracy=0.3 + n / 100)
        for n in range(count)
    ]
    return Snapshot(study(), trials)


def numbers(text: str) -> list[int]:
    return [one.number for one in trials_named(snapshot(), text)]


@pytest.mark.parametrize("text", ["3,7,1", " 3, 7 ,1,", "3 7 1", "3;7;1", "3,7,3,1"])
def test_trials_are_named_by_numbers_in_the_order_they_are_named(text: str) -> None:
    assert numbers(text) == [3, 7, 1]


def test_no_number_is_no_trial() -> None:
    assert numbers("") == numbers(" , ") == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("3, seven", "'seven' is no trial's number"),
        (f"3,{HOSTILE}", "is no trial's number"),
        ("-1", "'-1' is no trial's number"),
        ("٣", "is no trial's number"),
        ("3,10,99", "has no trial 10, 99; its trials are 0 to 9"),
        (",".join(map(str, range(MOST + 1))), "7 trials are named, and at most 6"),
    ],
)
def test_what_names_no_trials_gets_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(TrialChoiceError, match=sentence.replace("(", r"\(")):
        numbers(text)


def test_fields_that_differ_come_first() -> None:
    whole = snapshot()
    table = side_by_side(whole, whole.trials[:2]).set_index("Field")
    assert list(table.columns) == ["Differs", "Trial 0", "Trial 1"]
    assert table["Differs"].is_monotonic_decreasing
    assert list(table.loc["hidden_dim"]) == [True, "16", "24"]
    assert list(table.loc["num_blocks"]) == [False, "2", "2"]


def test_a_field_that_a_family_does_not_have_is_a_dash() -> None:
    whole = snapshot()
    table = side_by_side(whole, whole.trials[1:3]).set_index("Field")
    assert table.loc["num_heads", ["Trial 1", "Trial 2"]].tolist() == ["–", "3"]


def test_what_trials_share_is_told_without_what_the_images_ask_for() -> None:
    whole = snapshot()
    assert in_common(whole.trials[:2]) == {
        "patch_size": "2",
        "num_blocks": "2",
        "family": "mixer",
        "tokens_mlp_dim": "8",
        "channels_mlp_dim": "20",
    }
    assert in_common(whole.trials[1:3]) == {
        "patch_size": "2",
        "hidden_dim": "24",
        "num_blocks": "2",
    }


def test_the_ends_and_the_knee_of_the_front_are_suggested() -> None:
    whole = snapshot()
    found = [one.number for one in suggested(whole)]
    assert found[0] == whole.front[0].number
    assert found[-1] == whole.front[-1].number
    assert 2 <= len(found) <= 3
    assert suggested(Snapshot(study(), [])) == []
