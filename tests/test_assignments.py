"""`--set FIELD=VALUE`: every field of a study, written as in a study file."""

from __future__ import annotations

import pytest

from search.spec.assignments import parse_assignments
from search.spec.studies import STUDIES, StudyError, StudySpec, with_changes

SMOKE = STUDIES["mixer_smoke"]


def assigned(*texts: str) -> StudySpec:
    return with_changes(SMOKE, parse_assignments(texts, SMOKE))


def test_a_number_a_text_a_list_and_a_table_are_set() -> None:
    spec = assigned(
        "recipe.learning_rate=1e-3",
        "recipe.augmentation.flip=true",
        "recipe.augmentation.translate=0.1",
        "recipe.ema=0.999",
        "recipe.optimizer=sgd",
        "sampler=tpe",
        'split="random"',
        "max_flops=20M",
        "baselines=['vit_digits']",
        "space.hidden_dim={low = 8, high = 24, step = 8}",
    )
    assert spec.recipe.learning_rate == 1e-3
    assert spec.recipe.augmentation.flip
    assert spec.recipe.augmentation.translate == 0.1
    assert (spec.recipe.ema, spec.recipe.optimizer) == (0.999, "sgd")
    assert (spec.sampler, spec.split, spec.max_flops) == ("tpe", "random", 20_000_000)
    assert spec.baselines == ("vit_digits",)
    assert spec.space["mixer"].model_dump()["hidden_dim"] == (8, 16, 24)
    assert spec.recipe.epochs == SMOKE.recipe.epochs, "all else is as it was"


def test_a_range_is_of_the_only_family_unless_it_says_of_which() -> None:
    assert assigned("space.patch_size=[4]") == assigned("space.mixer.patch_size=[4]")
    both = assigned('families=["mixer", "vit"]', "space.vit.patch_size=[2]")
    assert {name: ranges.patch_size for name, ranges in both.space.items()} == {  # type: ignore[attr-defined]
        "mixer": (2, 4),
        "vit": (2,),
    }
    with pytest.raises(StudyError, match="not searched; add it to families"):
        assigned("space.vit.patch_size=[2]")


def test_the_last_word_counts_and_a_field_wins_over_its_flag() -> None:
    found = parse_assignments(["seed=1", "seed = 2"], SMOKE)
    assert with_changes(SMOKE, found, seed=3).seed == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("recipe.lerning_rate=1", r"no field 'lerning_rate' \(did you mean 'learning_rate'\?\)"),
        ("trails=1", r"--set trails: a study has no field .*did you mean 'trials'"),
        ("recipe.learning_rate", "a field is set as FIELD=VALUE"),
        ("=3", "a field is set as FIELD=VALUE"),
        ("recipe.learning_rate=fast", "--set recipe.learning_rate: input should be a valid number"),
        ("recipe.ema=1", r"--set recipe\.ema: input should be less than 1, not 1"),
        ("recipe.schedule=step", r"--set recipe\.schedule: .*'linear' or 'constant', not 'step'"),
        ("recipe.learning_rate=-1", "--set recipe.learning_rate: input should be greater than 0"),
        (
            "space.hidden_dim.low=3",
            "space.mixer.hidden_dim is one value, no table; set it",
        ),
        ("recipe=3", "--set recipe: "),
        ("rungs.count=9", "needs at least"),
        ("recipe.epochs=3\nseed = 4", "--set recipe.epochs: input should be a valid integer"),
    ],
)
def test_what_is_no_field_or_no_value_of_it_is_a_sentence(text: str, says: str) -> None:
    with pytest.raises(StudyError, match=says):
        assigned(text)
