"""What a study was asked for, in words, from a specification of this version and of older ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from records import CIFAR, DIGITS, mixer, study, trial, vit

from runs.asked import (
    data_facts,
    images_per_epoch,
    recipe_facts,
    search_facts,
    searched_ranges,
    start_facts,
)
from runs.record import StudyRecord
from search.spec.rungs import RungSpec
from search.spec.studies import STUDIES


def recorded(name: str, **notes: Any) -> StudyRecord:
    """A built-in study as its record has it."""
    spec = STUDIES[name].model_dump(mode="json", exclude={"name", "trials"})
    return study(spec=spec | notes)


def test_the_recipe_is_said_once_and_learning_rates_by_family_where_they_differ() -> None:
    facts = recipe_facts(recorded("mixer_cifar"))
    assert (facts["optimizer"], facts["weight decay"]) == ("adamw", "0.05")
    assert facts["learning rate"] == "0.002"
    assert facts["schedule"] == "10% warm-up, then cosine"
    assert facts["augmentation"] == "random crop (4 px of border), flip, cutout 8 px"
    tuned = recorded("mixer_cifar", learning_rates={"mixer": 4e-3, "vit": 1e-3})
    assert recipe_facts(tuned)["learning rate"] == "Mixer 0.004, ViT 0.001"


def test_the_search_says_what_bounds_it_and_where_it_stops_trials() -> None:
    asked = {"trials": 120, "baselines": True, "stop_when_flat": 30}
    rungs = RungSpec().settled().model_dump(mode="json")
    facts = search_facts(recorded("mixer_cifar", asked=asked, rungs=rungs), [])
    assert facts["families"] == "Mixers and ViTs"
    assert facts["configurations"] == "120"
    assert facts["baselines"] == "3, in published proportions"
    assert (
        facts["early stopping"]
        == "after epoch 4 and 13 of 40; the first 4 and 15% of the others exempt"
    )
    assert facts["ends early"] == "when the hypervolume has not grown over 30 trials"
    without = recorded("mixer_cifar", asked=asked | {"baselines": False})
    assert search_facts(without, [])["baselines"] == "none"
    before = recorded("mixer_cifar", rungs={"eta": 3, "count": None, "spared": 0.05})
    assert search_facts(before, [])["early stopping"] == "after epoch 4 and 13 of 40; 5% exempt"


def test_a_narrowed_range_is_told_from_one_that_was_left_open() -> None:
    ranges = searched_ranges(recorded("mixer_smoke"), [trial(0, config=mixer(DIGITS))])
    narrowed = {one.parameter: one.is_narrowed for one in ranges}
    assert narrowed["num_blocks"]
    assert narrowed["hidden_dim"]
    opened = searched_ranges(recorded("mixer_cifar"), [trial(0, config=mixer(CIFAR, patch_size=4))])
    assert not any(one.is_narrowed or one.is_widened for one in opened)
    assert {one.family for one in opened} == {"mixer", "vit"}
    wide = study(spec={"space": {"hidden_dim": [8, 16, 32, 48, 64, 96, 128, 4096]}})
    (hidden,) = [
        one
        for one in searched_ranges(wide, [trial(0, config=mixer(DIGITS))])
        if one.parameter == "hidden_dim"
    ]
    assert (hidden.is_narrowed, hidden.is_widened) == (False, True)


def test_an_older_study_says_what_it_noted_and_nothing_else() -> None:
    old = study(spec={"dataset": "cifar10", "recipe": {"batch_size": 128}})
    assert recipe_facts(old) == {"batch size": "128"}
    for field, value in STUDIES["mixer_cifar"].recipe.model_dump(mode="json").items():
        assert len(recipe_facts(study(spec={"recipe": {field: value}}))) <= 1
    assert "sampler" not in search_facts(old, [])
    assert data_facts(old, []) == {"data set": "cifar10", "classes": "10", "digest": "0" * 12}
    assert searched_ranges(old, []) == []


def test_images_of_an_epoch_are_read_off_the_clock() -> None:
    """45,000 images in batches of 128: 351 whole ones."""
    timing = trial(0).timing
    assert timing is not None
    timed = trial(0, epochs=4, timing=replace(timing, train_seconds=8.0, images_per_second=22_464))
    assert images_per_epoch([timed]) == 44_928
    assert images_per_epoch([trial(0, timing=None)]) is None


def test_a_fine_tuning_says_whose_weights_it_starts_from() -> None:
    start = {"preset": "mixer_s", "sha256": "ab" * 32, "image_size": 32, "tokens": None}
    facts = start_facts(study(spec={"start_from": start, "seeds": 3, "seed": 7}))
    assert facts["preset"] == "mixer_s"
    assert facts["weights"] == "SHA-256 abababababab"
    assert facts["seeds"] == "3, from seed 7 on"
    assert start_facts(study()) == {}


def test_images_are_said_as_the_networks_take_them() -> None:
    facts = data_facts(study(), [trial(0, config=vit(CIFAR))])
    assert facts["images"] == "32 × 32 pixels, 3 channels"
