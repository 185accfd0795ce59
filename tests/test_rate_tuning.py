"""A learning rate a family, found before the search by short trainings."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import pytest
from records import DIGITS, trial
from rich.console import Console

from runs.rates import mean_accuracies
from runs.reader import Reader, open_reader
from runs.record import Origin, State, TrialRecord
from search.dry_run import forecast
from search.launch import run_study as launch
from search.run import main
from search.spec.recipe import Recipe
from search.spec.rungs import NO_RUNGS
from search.spec.studies import StudyError, StudySpec
from search.study.plan import plan
from search.study.rate_tuning import (
    TunedRates,
    is_to_be_tuned,
    rate_studies,
    spent_on_rates,
    tuning_networks,
)
from search.study.run_study import run_study
from search.study.stored import stored_study
from search.workers.in_process import open_in_process
from space.config import MixerConfig, ViTConfig
from space.mixer_family import MixerRanges
from space.vit_family import ViTRanges

TINY = StudySpec(
    name="tuned",
    dataset="digits",
    families=("mixer", "vit"),
    space={
        "mixer": MixerRanges(
            patch_size=(4,),
            hidden_dim=(8,),
            tokens_mlp_dim=(8,),
            channels_mlp_dim=(16, 32),
            num_blocks=(1,),
        ),
        "vit": ViTRanges(
            patch_size=(4,), hidden_dim=(8,), num_blocks=(1,), mlp_dim=(16,), num_heads=(1,)
        ),
    },
    trials=3,
    baselines=0,
    recipe=Recipe(epochs=3, batch_size=64, learning_rate=4e-3),
    rungs=NO_RUNGS,
)
"""Two Mixers and one ViT: three networks to tune by, at each of three rates."""


def test_the_networks_of_a_family_are_small_middle_and_large_ones_of_its_space() -> None:
    spec = StudySpec(name="x", dataset="digits", families=("mixer", "vit"), max_flops=4_000_000)
    planned = plan(spec, DIGITS)
    networks = tuning_networks(planned, DIGITS, seed=0)
    assert networks == tuning_networks(planned, DIGITS, seed=0)
    for kind in (MixerConfig, ViTConfig):
        costs = [planned.cost(config) for config in networks if isinstance(config, kind)]
        assert len(costs) == 3
        assert costs[0] * 2 < costs[1] < costs[2] / 2
        assert costs[2] <= 4_000_000


def test_a_rate_has_a_study_of_a_third_of_the_epochs_without_rungs() -> None:
    studies = rate_studies(TINY.model_copy(update={"recipe": Recipe(epochs=40), "seeds": 5}))
    assert {rate: study.name for rate, study in studies.items()} == {
        5e-4: "tuned.rate-0.0005",
        1e-3: "tuned.rate-0.001",
        2e-3: "tuned.rate-0.002",
    }
    for rate, study in studies.items():
        assert study.recipe == Recipe(epochs=13, learning_rate=rate)
        assert (study.rungs, study.seeds, study.trials) == (NO_RUNGS, 1, 0)
    assert (
        rate_studies(TINY.model_copy(update={"recipe": Recipe(epochs=2)}))[5e-4].recipe.epochs == 1
    )
    with pytest.raises(StudyError, match="has at most 200 characters"):
        rate_studies(TINY.model_copy(update={"name": 195 * "x"}))


ONE = TINY.model_copy(update={"families": ("mixer",)})
MANY = TINY.model_copy(update={"trials": 20})
GIVEN = MANY.model_copy(update={"learning_rates": {"vit": 1e-3}})


@pytest.mark.parametrize(
    ("spec", "asked", "expected"),
    [
        (MANY, None, True),
        (MANY, False, False),
        (TINY, None, False),  # a quick look: it would take longer than the search
        (TINY, True, True),
        (ONE.model_copy(update={"trials": 99}), None, False),
        (ONE, True, True),
        (GIVEN, None, False),
        (GIVEN, True, False),
        (MANY.model_copy(update={"trials": 0}), True, False),
    ],
)
def test_rates_are_found_where_families_are_compared_and_none_is_given(
    spec: StudySpec, asked: bool | None, expected: bool
) -> None:
    assert is_to_be_tuned(spec, has_trials=False, asked=asked) is expected
    assert not is_to_be_tuned(spec, has_trials=True, asked=asked)


def test_the_best_mean_is_chosen_and_an_edge_of_what_was_tried_is_said() -> None:
    means = {
        "mixer": {1e-3: 0.5, 2e-3: 0.75, 4e-3: 0.625},
        "vit": {1e-3: 0.5, 2e-3: 0.5, 4e-3: 0.1},
    }
    found = TunedRates(accuracies=means, epochs=13, trainings=18)
    assert found.chosen == {"mixer": 2e-3, "vit": 1e-3}
    assert found.lines(2.5e12) == [
        "learning rates tried, mean validation accuracy after 13 epochs: "
        "Mixer 0.001: 50.0 %, 0.002: 75.0 %, 0.004: 62.5 %; "
        "ViT 0.001: 50.0 %, 0.002: 50.0 %, 0.004: 10.0 %",
        "learning rates chosen: Mixer 0.002, "
        "ViT 0.001 (the lowest tried; a better one may lie beyond); "
        "that took 18 trainings, 2.50 TFLOPs",
    ]


def test_a_training_that_failed_counts_as_guessing() -> None:
    failed = trial(1, state=State.FAILED, accuracy=None)
    assert mean_accuracies({1e-3: [trial(0, accuracy=0.5), failed]}, guess=0.1) == {
        "mixer": {1e-3: pytest.approx(0.3)}
    }


@dataclass
class Interrupt:
    """Ctrl-C at the so manyth event."""

    left: int

    def __call__(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def run(storage: str, spec: StudySpec = TINY, interrupt: int = 0) -> list[str]:
    """The lines of a study that is to be tuned."""
    text = io.StringIO()
    with open_in_process("cpu") as start_workers:
        run_study(
            spec,
            Console(file=text),
            start_workers=start_workers,
            storage=storage,
            tune_rate=True,
            check_stop=Interrupt(interrupt),
        )
    return text.getvalue().splitlines()


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, int]:
    """A database with a study stopped while its rates were sought; the number of trials then."""
    storage = f"sqlite:///{tmp_path_factory.mktemp('rates')}/s.db"
    with pytest.raises(KeyboardInterrupt):
        run(storage, interrupt=14)  # three events a training of one epoch
    with open_reader(storage) as store:
        return storage, len(trials_of_rates(store))


@pytest.fixture(scope="module")
def tuned(interrupted: tuple[str, int]) -> tuple[str, list[str]]:
    """That study, gone on with to its end; what was printed."""
    storage, before = interrupted
    assert 3 < before < 9
    spec, asked = stored_study("tuned", storage)
    assert (spec.learning_rates, asked["tune_rate"]) == ({}, True)
    left = forecast(spec, storage, None, with_baselines=True, tune_rate=True)
    assert (left.rate_epochs, left.rate_trainings) == (1, 9 - before + 1)  # one was under way
    return storage, run(storage, spec)


def trials_of_rates(store: Reader) -> list[TrialRecord]:
    return [t for s in store.studies() if s.rates_of == "tuned" for t in store.trials(s.name)]


def test_tuning_goes_on_where_it_was_interrupted_and_trains_nothing_twice(
    tuned: tuple[str, list[str]],
) -> None:
    with open_reader(tuned[0]) as store:
        names = store.study("tuned").spec["rate_studies"]
        assert names == ["tuned.rate-0.002", "tuned.rate-0.004", "tuned.rate-0.008"]
        for name in names:
            trials = store.trials(name)
            assert len({t.config for t in trials}) == len(trials) == 3
            assert {(t.state, t.origin, t.epochs) for t in trials} == {
                (State.COMPLETE, Origin.BASELINE, 1)
            }


def test_the_study_records_and_trains_by_the_best_rates_and_says_so(
    tuned: tuple[str, list[str]],
) -> None:
    storage, printed = tuned
    with open_reader(storage) as store:
        study = store.study("tuned")
        by_rate = {
            float(name.rpartition("-")[2]): store.trials(name)
            for name in study.spec["rate_studies"]
        }
        found = TunedRates(accuracies=mean_accuracies(by_rate, 0.1), epochs=1, trainings=9)
        assert study.spec["learning_rates"] == found.chosen
        spent = spent_on_rates(store, study)
        flops = sum(t.flops for trials in by_rate.values() for t in trials)
        assert spent.total() == flops  # an epoch each
        images_seen = 1294 // 64 * 64
        for line in found.lines(3 * flops * images_seen):
            assert line in printed
        trials = store.trials("tuned")
        ends = {t.family: store.epochs("tuned", t.number)[0].learning_rate for t in trials}
        assert ends["mixer"] / ends["vit"] == pytest.approx(
            found.chosen["mixer"] / found.chosen["vit"]
        )
        assert [t.state for t in trials] == [State.COMPLETE] * 3


def test_a_tuned_study_goes_on_by_the_same_command_and_is_not_tuned_again(
    tuned: tuple[str, list[str]],
) -> None:
    storage = tuned[0]
    with open_reader(storage) as store:
        before = store.study("tuned"), store.trials("tuned"), trials_of_rates(store)
    assert not [line for line in run(storage) if line.startswith("learning rate")]
    with open_reader(storage) as store:
        assert (store.study("tuned"), store.trials("tuned"), trials_of_rates(store)) == before
    resumed, _ = stored_study("tuned", storage)
    assert resumed.learning_rates == before[0].spec["learning_rates"]
    assert forecast(resumed, storage, None, with_baselines=True).rate_trainings == 0


def test_the_studies_of_rates_are_in_no_list(
    tuned: tuple[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from dashboard.reading import study_names

    monkeypatch.setenv("MIXER_STORAGE", tuned[0])
    assert study_names() == ["tuned"]
    assert main(["--resume", "tund", "--storage", tuned[0]]) == 2
    assert "(did you mean 'tuned'?); there are: 'tuned'\n" in capsys.readouterr().err


def test_where_the_time_is_up_no_rate_is_chosen_and_nothing_searched(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/s.db"
    result = launch(TINY, storage=storage, tune_rate=True, timeout=0.001, progress=False)
    assert (result.ended, list(result.trials)) == ("timeout", [])
    assert result.study.spec["learning_rates"] == {}


def test_rates_that_are_given_are_not_sought(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "s.toml"
    file.write_text('name = "a"\ndataset = "digits"\n[learning_rates]\nmixer = 1e-3')
    storage = f"sqlite:///{tmp_path}/s.db"
    assert main(["--study", str(file), "--tune-rate", "--storage", storage]) == 2
    assert (
        "--tune-rate: the study has learning rates (mixer 0.001); leave" in capsys.readouterr().err
    )
