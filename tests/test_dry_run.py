"""What a study would take, without taking anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from archives import draw, importers_of, write_originals
from json_keys import undocumented
from records import mixer, study, trial

from runs.record import Environment
from runs.writer import open_writer
from search.bench.result import keep_result
from search.data.preparation import prepare
from search.dry_run import forecast, forecast_lines
from search.run import main as run
from search.spec.studies import STUDIES, StudyError, with_changes
from space.cost import cost

DIGITS = STUDIES["mixer_digits"]
MIXERS = with_changes(DIGITS, families=("mixer",))
CPU = Environment(device_kind="cpu", versions={}, git_revision=None)


@pytest.fixture(autouse=True)
def _alone(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(here / "cache"))


def test_it_counts_trials_baselines_and_steps_and_writes_nothing(here: Path) -> None:
    found = forecast(DIGITS, None, None, with_baselines=True)
    assert (found.trials, found.baselines, found.epochs) == (12, 2, 40)
    assert (found.train_images, found.steps_per_trial) == (1294, 40 * (1294 // 64))
    assert found.seconds is None
    assert "no earlier trials" in found.seconds_from
    assert found.checkpoint_bytes > 0
    assert found.free_bytes > 1e6
    lines = forecast_lines(found)
    assert lines[0].startswith("mixer_digits: 12 trials out of ")
    assert lines[1] == "a trial: 40 epochs of about 1,294 images, 800 steps"
    assert lines[2].startswith("time: not known: no earlier trials in the database")
    assert list(here.iterdir()) == []


def test_the_time_is_that_of_networks_as_large_on_the_device_used_last() -> None:
    small, large = mixer(hidden_dim=8), mixer(hidden_dim=64)
    with open_writer() as store:
        store.add_study(study("earlier"))
        for number, config in enumerate((small, large)):
            done = trial(number, config=config, environment=CPU)
            assert done.timing
            store.add_trial("earlier", done)
    spec = with_changes(
        MIXERS,
        {
            ("space", "mixer", name): [getattr(small, name)]
            for name in ("patch_size", "hidden_dim", "tokens_mlp_dim", "channels_mlp_dim")
        }
        | {("space", "mixer", "num_blocks"): [small.num_blocks]},
    )
    found = forecast(spec, None, None, with_baselines=False)
    assert (found.trials, found.configurations) == (1, 1)
    assert found.seconds == pytest.approx(800 * 64 / 12_345.678), "as fast as it was"
    assert found.seconds_from == "2 earlier trials on cpu"
    three = forecast(with_changes(spec, seeds=3), None, None, with_baselines=False)
    assert three.seconds == pytest.approx(3 * (found.seconds or 0))


def test_without_earlier_trials_it_is_by_what_the_bench_measured() -> None:
    network = {"macs": cost(mixer()).macs, "images_per_second": 1000.0}
    keep_result({"date": "2026-11-26T10:00:00", "device_kind": "cpu", "networks": [network]})
    found = forecast(DIGITS, None, None, with_baselines=True)
    assert found.seconds_from == "search.bench on cpu, 2026-11-26"
    assert found.seconds
    assert found.seconds > 0


def test_what_is_finished_is_not_forecast_again(capsys: pytest.CaptureFixture[str]) -> None:
    with open_writer() as store:
        store.add_study(study("mixer_digits"))
        for number in range(12):
            store.add_trial("mixer_digits", trial(number))
    argv = ["--study", "mixer_digits", "--no-baselines", "--dry-run"]
    assert run(argv) == 0
    assert capsys.readouterr().out.splitlines() == [
        "mixer_digits: nothing is left to train (12 are finished)",
        "nothing was written; leave --dry-run out to begin",
    ]
    assert run([*argv, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert not undocumented(facts)
    assert (facts["trials"], facts["finished_trials"], facts["seconds"]) == (0, 12, 0)


def test_images_are_counted_where_the_data_set_is_prepared(here: Path) -> None:
    spec = STUDIES["mixer_cifar"]
    found = forecast(spec, None, here, with_baselines=True)
    assert (found.train_images, found.steps_per_trial, found.seconds) == (None, None, None)
    assert "the data set is not prepared here" in forecast_lines(found)[2]
    paths = write_originals("cifar10", here, draw("cifar10", 40, 20))
    importers = importers_of("cifar10", paths)
    prepare("cifar10", here / "data", archive=paths[0], report=print, importers=importers)
    with pytest.raises(StudyError, match=r"batch_size=128 is more than the 36 training images"):
        forecast(spec, None, here / "data", with_baselines=True)
    spec = with_changes(spec, assigned={("recipe", "batch_size"): 16})
    found = forecast(spec, None, here / "data", with_baselines=True)
    assert (found.train_images, found.steps_per_trial) == (36, 2 * spec.recipe.epochs)


def test_what_would_refuse_the_study_is_said() -> None:
    with pytest.raises(StudyError, match="baseline 'vit_b16' is made for 224x224x3 images"):
        forecast(
            DIGITS.model_copy(update={"baselines": ("vit_b16",)}), None, None, with_baselines=True
        )


def test_it_counts_the_trainings_that_find_learning_rates() -> None:
    """Two families, three networks, three rates; a third of the epochs."""
    done = trial(0, config=mixer(), environment=CPU)
    with open_writer() as store:
        store.add_study(study("earlier"))
        store.add_trial("earlier", done)
    spec = with_changes(DIGITS, trials=20)
    found, without = (
        forecast(spec, None, None, with_baselines=False, tune_rate=asked) for asked in (None, False)
    )
    assert (found.rate_trainings, found.rate_epochs) == (18, 13)
    assert (without.rate_trainings, without.rate_epochs) == (0, 0)
    assert found.seconds is not None
    assert without.seconds is not None
    share = 18 * 13 / (20 * 40)
    assert found.seconds / without.seconds - 1 == pytest.approx(share, rel=0.5)
    assert forecast_lines(found)[1] == (
        "before the search: 18 trainings of 13 epochs find a learning rate for every family"
    )
