"""What a coordinator knows of its study."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from records import epoch, mixer, running, study, trial

from runs.record import State
from runs.writer import open_writer
from search.study.state import StudyState


def test_it_is_what_the_database_has(tmp_path: Path) -> None:
    with open_writer(f"sqlite:///{tmp_path}/s.db") as store:
        store.add_study(study("s"))
        trials = store.add_trials("s", [trial(0), trial(1)])
        store.add_epochs("s", [epoch(1, 1), epoch(2, 1)])
        state = StudyState.read(store, "s")
    assert list(state.trials.values()) == trials
    assert state.curves == {1: [epoch(n).validation_accuracy for n in (1, 2)]}


def test_a_trial_that_starts_again_has_the_epochs_of_its_checkpoint_and_no_others() -> None:
    state = StudyState([running(0)])
    state.add_epochs([epoch(1), epoch(2), epoch(3)])
    state.restart([running(0)], [epoch(1)])
    assert state.curves == {0: [epoch(1).validation_accuracy]}
    state.restart([running(0)], [])
    assert state.curves == {0: []}


def test_the_curve_of_a_configuration_is_the_mean_as_far_as_all_its_seeds_go() -> None:
    seeds = [running(n, config=mixer(), seed=n) for n in range(2)]
    state = StudyState(seeds)
    state.add_epochs([epoch(1, 0, validation_accuracy=0.2), epoch(1, 1, validation_accuracy=0.4)])
    state.add_epochs([epoch(2, 0, validation_accuracy=0.5)])
    assert state.curve_of(seeds) == [(0.2 + 0.4) / 2]


def test_the_seeds_of_a_configuration_are_its_newest_records_without_refused_ones() -> None:
    first, second = (running(n, config=mixer(), seed=n) for n in range(2))
    refused = trial(2, config=mixer(), state=State.REFUSED)
    state = StudyState([first, second, refused])
    ended = replace(first, state=State.COMPLETE, accuracy=0.5)
    state.put([ended])
    assert state.seeds_of(second) == [ended, second]
    assert state.trials[2] == refused
