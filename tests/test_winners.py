"""Which trial is taken home."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from records import NOON, at, mixer, running, seeds, study, trial, vit

from runs.pareto import knee
from runs.record import Origin, State, TrialRecord
from runs.winners import (
    NoWinnerError,
    candidates,
    front,
    objectives,
    pick,
    preset_of,
    trials_since_gain,
)
from space.cost import cost
from space.presets import Preset
from space.quantities import parse_count

BASELINE = {"origin": Origin.BASELINE, "config": vit()}
#        number: 0 cheap, 1 the knee, 2 best, 3 beaten, 4 as good as 2; then what is no candidate
TRIALS = [
    at(1_000_000, 0.30, 0),
    at(10_000_000, 0.80, 1),
    at(100_000_000, 0.90, 2),
    at(50_000_000, 0.60, 3),
    at(100_000_000, 0.90, 4),
    at(500_000, 0.99, 5, **BASELINE),
    running(6),
    running(7, state=State.FAILED, error="diverged"),
    running(8, state=State.PRUNED, accuracy=0.95),
    running(9, state=State.REFUSED),
]


@pytest.mark.parametrize(
    ("rule", "bounds", "number"),
    [
        ("best", {}, 2),  # the first of two equals
        ("cheapest", {}, 0),
        ("knee", {}, 1),
        ("best", {"max_flops": 100_000_000}, 2),
        ("best", {"max_flops": 99_999_998}, 1),
        ("best", {"max_flops": 10_000_000.0}, 1),
        ("best", {"max_flops": 1e6}, 0),
        ("cheapest", {"min_accuracy": 0.30}, 0),
        ("cheapest", {"min_accuracy": 0.31}, 1),
        ("cheapest", {"min_accuracy": 0.85}, 2),
        ("knee", {"min_accuracy": 0.85}, 2),
        ("knee", {"max_flops": 2e6}, 0),
        ("cheapest", {"max_flops": 6e7, "min_accuracy": 0.5}, 1),
        ("trial=3", {}, 3),
        ("trial=5", {}, 5),  # a baseline may be named
        ("trial=1", {"max_flops": 10_000_000, "min_accuracy": 0.80}, 1),
    ],
)
def test_a_rule_names_a_trial(rule: str, bounds: dict[str, float], number: int) -> None:
    assert pick(TRIALS, rule, **bounds).number == number


def test_the_front_within_bounds_is_made_of_what_is_within_them() -> None:
    """A trial beaten only by one that costs too much is on the front of the affordable."""
    trials = [at(1_000_000, 0.3, 0), at(2_000_000, 0.9, 1), at(4_000_000, 0.5, 2)]
    assert pick(trials, "knee", min_accuracy=0.4).number == 1
    assert pick([trials[0], trials[2]], "best").number == 2


def test_the_front_leaves_out_what_the_study_calls_useless() -> None:
    found = candidates(TRIALS)
    assert [t.number for t in front(found, 0.80)] == [1, 2, 4]
    assert front(found, 0.95) == []
    assert study(spec={"min_accuracy": 0.8}).min_accuracy == 0.8
    assert study(spec={"min_accuracy": None}).min_accuracy == 0
    assert study(spec={}).min_accuracy == 0  # of an older version


def test_only_what_the_search_proposed_and_finished_can_win() -> None:
    assert [t.number for t in candidates(TRIALS)] == [0, 1, 2, 3, 4]
    assert [t.number for t in front(candidates(TRIALS))] == [0, 1, 2, 4]
    flops, accuracy = objectives(candidates(TRIALS))
    assert flops == [1e6, 1e7, 1e8, 5e7, 1e8]
    assert accuracy == [0.3, 0.8, 0.9, 0.6, 0.9]
    assert knee(flops, accuracy) == 1


@pytest.mark.parametrize(
    ("trials", "rule", "bounds", "words"),
    [
        (TRIALS, "worst", {}, "--pick 'worst' is no rule; use best, knee, cheapest or trial=N"),
        (TRIALS, "", {}, "--pick '' is no rule"),
        (TRIALS, "trial", {}, "--pick 'trial' is no rule"),
        ([], "best", {}, "none of the study's 0 trials is finished"),
        (TRIALS[5:], "best", {}, "4 trials is finished, baselines not counted; .*--pick trial=N"),
        (TRIALS, "best", {"max_flops": 999_998}, "at most 999,998 FLOPs; the cheapest has 1,000,0"),
        (TRIALS, "best", {"min_accuracy": 0.95}, "an accuracy of 0.95; the best has 0.9000: lower"),
        (TRIALS, "best", {"max_flops": 1e7, "min_accuracy": 0.85}, "the best has 0.8000"),
        (TRIALS, "trial=77", {}, "has no trial '77'; finished ones: 0, 1, 2, 3, 4"),
        (TRIALS, "trial=", {}, "has no trial ''"),
        (TRIALS, "trial=x", {}, "has no trial 'x'"),
        (TRIALS, "trial=-1", {}, "has no trial '-1'"),
        ([], "trial=0", {}, "finished ones: none"),
        ([at(1e6, 0.5, n) for n in range(22)], "trial=x", {}, "ones: 0, 1, .*, 18, 19 and 2 more$"),
        (TRIALS, "trial=6", {}, "trial 6 is running, not complete; pick a finished one"),
        (TRIALS, "trial=7", {}, "trial 7 is failed, not complete"),
        (TRIALS, "trial=8", {}, "trial 8 is pruned, not complete"),
        (
            TRIALS,
            "trial=1",
            {"max_flops": 9_999_998},
            "trial 1 has 10,000,000 FLOPs, more than --max-flops 9,999,998; raise that",
        ),
        (
            TRIALS,
            "trial=1",
            {"min_accuracy": 0.81},
            "trial 1 has an accuracy of 0.8000, less than --min-accuracy 0.81; lower that",
        ),
        (TRIALS, "trial=1", {"min_accuracy": math.nan}, "less than --min-accuracy nan"),
    ],
)
def test_no_winner_is_explained(
    trials: list[TrialRecord], rule: str, bounds: dict[str, float], words: str
) -> None:
    with pytest.raises(NoWinnerError, match=words):
        pick(trials, rule, **bounds)


@pytest.mark.parametrize("best", [0.89126, 0.89125, 0.9999999, 0.3])
def test_the_advice_helps_whoever_follows_it(best: float) -> None:
    trials = [at(1_234_568, best, 0)]
    with pytest.raises(NoWinnerError) as caught:
        pick(trials, "best", min_accuracy=0.99999999)
    advised = re.search(r"the best has ([\d.]+)", str(caught.value))
    assert advised
    assert pick(trials, "best", min_accuracy=float(advised[1])).number == 0
    with pytest.raises(NoWinnerError) as caught:
        pick(trials, "best", max_flops=1_000_000)
    advised = re.search(r"the cheapest has ([\d,]+)", str(caught.value))
    assert advised
    assert pick(trials, "best", max_flops=parse_count(advised[1])).number == 0
    with pytest.raises(NoWinnerError) as caught:
        pick(trials, "trial=0", min_accuracy=0.99999999)
    advised = re.search(r"an accuracy of ([\d.]+)", str(caught.value))
    assert advised
    assert pick(trials, "trial=0", min_accuracy=float(advised[1])).number == 0


def test_a_winners_preset_says_where_it_was_found() -> None:
    found = trial(17, config=mixer(num_blocks=3))
    preset = preset_of(study("digits"), found, "digits_best")
    assert preset.name == "digits_best"
    assert preset.config == found.config
    assert (preset.num_params, preset.macs) == (cost(found.config).params, cost(found.config).macs)
    assert preset.source == {
        "study": "digits",
        "study_began": "2026-03-01T09:00:00+00:00",
        "trial": 17,
        "accuracy": found.accuracy,
        "accuracy_split": "validation",
        "loss": found.loss,
        "epochs": 12,
        "seed": 3,
        "dataset": "cifar10",
        "recipe": {"batch_size": 128},
        "device_kind": "NVIDIA H200",
        "versions": {"jax": "0.10.2", "flax": "0.12.8"},
        "git_revision": "5f2c1ab-dirty",
    }
    assert Preset.model_validate_json(preset.to_json()) == preset


def test_a_preset_says_how_its_images_were_read() -> None:
    spec = {"dataset": "folder:pets", "data": {"image_size": 64, "resize": "pad"}}
    preset = preset_of(replace(study("pets"), spec=spec), trial(17), "pets_best")
    assert preset.source["data"] == spec["data"]


SEEDS = [
    *seeds(0, 0.90, 0.60, macs=1_000_000),
    *seeds(2, 0.80, 0.80, 0.80, macs=1_000_000),
    *[running(5, state=State.FAILED), replace(trial(5), number=6, accuracy=0.99, seed=4)],
]


def test_seeds_compete_by_their_mean() -> None:
    assert [(t.number, t.accuracy) for t in candidates(SEEDS)] == [
        (0, 0.75),
        (2, pytest.approx(0.8)),
    ]
    assert pick(SEEDS, "best").number == 2
    assert pick(SEEDS, "best", min_accuracy=0.7).number == 2
    with pytest.raises(NoWinnerError, match=r"accuracy of 0\.85; the best has 0\.8000"):
        pick(SEEDS, "best", min_accuracy=0.85)


def test_a_trial_named_by_its_number_is_that_trial_not_the_mean() -> None:
    assert pick(SEEDS, "trial=0") is SEEDS[0]
    assert pick(SEEDS, "trial=6") is SEEDS[-1]
    with pytest.raises(NoWinnerError, match=r"has no trial '9'; finished ones: 0, 1, 2, 3, 4, 6"):
        pick(SEEDS, "trial=9")


def test_finished_trials_without_all_their_seeds_do_not_win_unless_named() -> None:
    with pytest.raises(NoWinnerError, match="no configuration of the study is finished with all"):
        pick(SEEDS[-2:], "knee")


def test_a_presets_accuracy_says_of_which_seeds_it_is_the_mean() -> None:
    best = pick(SEEDS, "best")
    source = preset_of(study(), best, "x", SEEDS).source
    assert source["accuracy"] == pytest.approx(0.8)
    assert (source["seeds"], source["accuracies"]) == ([0, 1, 2], [0.80, 0.80, 0.80])
    assert "seed" not in source


def test_a_preset_of_one_trial_says_its_seed_whatever_the_others_are() -> None:
    source = preset_of(study(), SEEDS[1], "x", SEEDS).source
    assert (source["seed"], source["accuracy"]) == (1, 0.60)
    assert not {"seeds", "accuracies"} & set(source)


def test_a_presets_recipe_has_the_rate_of_its_family() -> None:
    recipe = {"epochs": 3, "learning_rate": 1e-3}
    spec = {"recipe": recipe, "learning_rates": {"vit": 5e-4}}
    found = [preset_of(study(spec=spec), trial(config=c), "x") for c in (mixer(), vit())]
    assert [preset.source["recipe"]["learning_rate"] for preset in found] == [1e-3, 5e-4]


def test_a_trial_of_unknown_surroundings_makes_a_preset_too() -> None:
    preset = preset_of(study(spec={}), trial(environment=None), "x")
    assert preset.source["device_kind"] is preset.source["recipe"] is None


def test_the_trials_since_the_last_gain_are_those_that_ended_after_it() -> None:
    about = study()
    found = [at(2_000_000, 0.5, 0), at(1_000_000, 0.6, 1), at(2_000_000, 0.55, 2)]
    assert trials_since_gain(about, []) == 0
    assert [trials_since_gain(about, found[:n]) for n in (1, 2, 3)] == [0, 0, 1]
    others = [
        running(3, state=State.PRUNED),
        running(4, state=State.FAILED),
        at(500_000, 0.05, 5),  # worse than guessing
        at(1_000_000, 0.99, 6, origin=Origin.BASELINE),
        running(7, state=State.REFUSED),
        running(8),
    ]
    assert trials_since_gain(about, found + others) == 4
    late = replace(found[1], finished_at=NOON + timedelta(days=999))
    assert trials_since_gain(about, [found[0], late, *others, found[2]]) == 0


def test_seeds_count_as_one_trial_and_a_useless_one_is_no_gain() -> None:
    two = seeds(0, 0.5, 0.6, 0.7) + seeds(3, 0.5, 0.5, 0.5)
    strict = study(spec={"min_accuracy": 0.9})
    assert trials_since_gain(study(), two) == 1
    assert trials_since_gain(strict, two) == 2
    assert trials_since_gain(strict, [*two[:-1], running(5, config=two[-1].config)]) == 1
