"""Networks to choose from: `python -m search.presets`, and what its table is made of."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from json_keys import undocumented
from records import NOON, mixer, running, study, trial

from runs.noise import noise_of
from runs.record import ImageResults, Origin, State, WeightsRecord
from runs.writer import Writer, open_writer
from search.presets import main
from search.report.choices import choice_of
from space.presets import Preset, Trained, names, save

SEARCHED = [
    trial(0, config=mixer(hidden_dim=8), accuracy=0.6, costs={"latency_ms": 0.25}),
    trial(1, config=mixer(hidden_dim=32), accuracy=0.95),
    trial(2, config=mixer(hidden_dim=16), accuracy=0.5),  # dominated by 0
    trial(3, config=mixer(hidden_dim=24), accuracy=0.99, origin=Origin.BASELINE),
]


@pytest.fixture
def store(here: Path) -> Any:
    with open_writer() as store:
        store.add_study(study("digits", spec=study().spec | {"num_validation": 300}))
        store.add_trials("digits", SEARCHED)
        (added,) = store.add_trials("digits", [running(config=SEARCHED[1].config, seed=4)])
        kept = WeightsRecord(trial=added.number, digest=64 * "a", size_bytes=7)
        ended = replace(SEARCHED[1], number=added.number, seed=4, accuracy=0.93)
        store.end_trials("digits", [ended], weights=[kept])
        yield store


def shown(capsys: pytest.CaptureFixture[str], *options: str) -> Any:
    assert main([*options, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_everything_that_comes_along_is_in_the_table_cheapest_first(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = shown(capsys)
    assert {one["name"] for one in found} == set(names())
    flops = [one["flops"] for one in found]
    assert flops == sorted(flops)
    b16 = next(one for one in found if one["name"] == "mixer_b16")
    assert (b16["params"], b16["flops"]) == (59_880_472, 2 * 12_601_767_936)
    assert (b16["family"], b16["config"]["image_size"]) == ("mixer", 224)
    assert (b16["weights"], b16["accuracy"], b16["accuracy_split"]) == (False, None, None)
    assert not undocumented(found)
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = lines[1 : 1 + len(found)]
    assert [line.split()[0] for line in rows] == [one["name"] for one in found]
    assert ["mixer_b16", "Mixer", "224", "25.2"] in [line.split()[:4] for line in lines]
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    "options", [["--study", "digits"], ["--storage", "sqlite:///runs/mixer_search.db"]]
)
def test_the_front_of_a_study_is_among_them(
    store: Writer, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    found = shown(capsys, *options)
    assert len(found) == len(names()) + 2
    cheap, best = (one for one in found if one["name"].startswith("digits trial="))
    assert (cheap["name"], best["name"]) == ("digits trial=0", "digits trial=1")
    assert (cheap["accuracy"], cheap["accuracy_split"]) == (0.6, "validation")
    interval = noise_of(store.study("digits"), store.trials("digits")).interval(SEARCHED[0])
    assert interval is not None
    assert (cheap["low"], cheap["high"]) == (interval.low, interval.high)
    assert (cheap["latency_ms"], best["latency_ms"]) == (0.25, None)
    assert (cheap["weights"], best["weights"]) == (False, True)  # of one of its two seeds


def test_of_a_study_that_searched_nothing_what_it_was_given_is(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_writer() as store:
        store.add_study(study("longer"))
        store.add_trial("longer", trial(0, origin=Origin.BASELINE, accuracy=0.9))
    found = [one for one in shown(capsys, "--study", "longer") if "trial=" in one["name"]]
    assert [(one["name"], one["accuracy"]) for one in found] == [("longer trial=0", 0.9)]


def confirm(store: Writer, accuracies: dict[int, float], seeds: Sequence[int] = (10, 11)) -> None:
    """Fresh trainings, which predict so many of 300 images right."""
    candidates = [{"trial": number, "probability": None} for number in accuracies]
    plan = {"kind": "front", "level": 0.95, "first_seed": seeds[0], "left_out": []}
    store.add_confirmation("digits", plan | {"candidates": candidates})
    for parent, accuracy in accuracies.items():
        for seed in seeds:
            fresh = running(config=SEARCHED[parent].config, origin=Origin.CONFIRMATION)
            (added,) = store.add_trials("digits", [replace(fresh, parent=parent, seed=seed)])
            right = np.random.default_rng(seed).random(300) < accuracy
            found = {"state": State.COMPLETE, "accuracy": float(right.mean()), "loss": 1.0}
            done = replace(added, **found, finished_at=NOON)
            result = ImageResults(
                trial=added.number,
                split="validation",
                num_images=300,
                right=np.packbits(right).tobytes(),
            )
            store.end_trials("digits", [done], image_results=[result])


def test_a_confirmed_front_has_its_fresh_accuracies(
    store: Writer, capsys: pytest.CaptureFixture[str]
) -> None:
    confirm(store, {0: 0.55, 1: 0.9})
    cheap, best = (one for one in shown(capsys, "--study", "digits") if "trial=" in one["name"])
    assert (cheap["name"], best["name"]) == ("digits trial=0", "digits trial=1")
    for one, searched in ((cheap, 0.6), (best, 0.95)):
        assert one["low"] < one["accuracy"] < one["high"]
        assert one["accuracy"] < searched
        assert one["accuracy_split"] == "validation"


def preset(**source: Any) -> Preset:
    trained = Trained(
        sha256=64 * "0",
        size_bytes=5_000,
        pixel_mean=(120.0,),
        pixel_std=(60.0,),
        class_names=tuple("0123456789"),
    )
    return Preset.of("winner", mixer(), source, trained)


def test_the_table_fits_a_terminal_of_eighty_characters(
    store: Writer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["--study", "digits"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(names()) + 2 + 1
    row = next(line for line in lines if line.startswith("digits trial=0"))
    assert re.search(r" no +60\.0 ± [\d.]+ % +0\.25 *$", row)
    assert "on validation" in lines[-1]


def test_a_winner_has_its_confirmed_accuracy_and_its_latency() -> None:
    latency = [
        {"runtime": "jax", "batch": 1, "median_ms": 0.4},
        {"runtime": "onnx", "batch": 1, "median_ms": None},
        {"runtime": "onnx", "batch": 64, "median_ms": 0.1},
    ]
    confirmed = {"accuracy": 0.9, "low": 0.88, "high": 0.91, "accuracy_split": "test"}
    found = choice_of(preset(accuracy=0.95, accuracy_split="validation", latency=latency))
    assert (found.accuracy, found.split, found.interval) == (0.95, "validation", None)
    assert (found.latency_ms, found.has_weights) == (0.4, True)
    found = choice_of(preset(accuracy=0.95, accuracy_split="validation", confirmed=confirmed))
    assert (found.accuracy, found.split) == (0.9, "test")
    seeds = choice_of(preset(accuracy=0.95, interval={"low": 0.9, "high": 0.97}))
    assert seeds.interval
    assert (seeds.accuracy, seeds.interval.low, seeds.interval.high) == (0.95, 0.9, 0.97)
    assert found.interval
    assert (found.interval.low, found.interval.high) == (0.88, 0.91)


@pytest.mark.parametrize(
    "source", [{"accuracy": "high"}, {"latency": "5 ms"}, {"confirmed": 1}, {"interval": 3}]
)
def test_a_source_of_somebody_elses_making_says_nothing(source: dict[str, Any]) -> None:
    found = choice_of(preset(**source))
    assert (found.accuracy, found.interval, found.split, found.latency_ms) == 4 * (None,)


def test_one_alone_is_shown_with_its_source(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mixer_b16"]) == 0
    said = capsys.readouterr().out
    assert "Mixer p16 C768 L12 T384 D3072" in said
    assert "Tolstikhin et al. 2021" in said
    assert "python -m search.convert FILE --like mixer_b16" in said
    save(preset(dataset="digits", recipe={"epochs": 12}, note="a\x1b[31mred"), here / "it.json")
    assert main(["it.json"]) == 0
    said = capsys.readouterr().out
    assert '{"epochs": 12}' in said
    assert "5.00 kB" in said
    assert "\x1b" not in said
    facts = shown(capsys, "it.json")
    assert facts["source"]["dataset"] == "digits"
    assert facts["weights"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["mixer_b17"], "there is no preset 'mixer_b17' (did you mean 'mixer_b16'?)"),
        (["mixer_b16", "--study", "digits"], "mixer_b16 is shown alone; leave --study out"),
        (["--study", "digits"], "runs/mixer_search.db does not exist"),
    ],
)
def test_what_is_not_there_is_a_sentence(
    here: Path, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
) -> None:
    assert main(options) == 2
    assert sentence in capsys.readouterr().err
