"""Several seeds of a configuration: what is compared is their mean."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from records import NOON, running, seeds, trial

from runs.record import Origin, State
from runs.seeds import behind, over_seeds


def test_the_mean_over_the_seeds_stands_under_the_first_number() -> None:
    one, two, three = seeds(4, 0.5, 0.6, 0.9)
    later = replace(three, loss=1.0, finished_at=NOON + timedelta(days=1))
    [mean] = over_seeds([later, two, one])
    assert mean.accuracy == pytest.approx(2 / 3)
    assert mean.loss == pytest.approx((1 / 3 + 1 / 3 + 1.0) / 3)
    assert mean.finished_at == later.finished_at
    same = {"accuracy": one.accuracy, "loss": one.loss, "finished_at": one.finished_at}
    assert replace(mean, **same) == one


def test_a_single_seed_is_the_trial_itself() -> None:
    trials = [trial(3), trial(1), running(2, config=trial(1).config, state=State.REFUSED)]
    found = over_seeds(trials)
    assert [t.number for t in found] == [1, 3]
    assert found[0] is trials[1]
    assert found[1] is trials[0]


@pytest.mark.parametrize("state", [State.FAILED, State.PRUNED, State.RUNNING])
def test_a_configuration_with_an_unfinished_seed_has_no_mean(state: State) -> None:
    """Not even if the seed that ended otherwise has an accuracy."""
    first, second, third = seeds(0, 0.5, 0.6, 0.7)
    assert over_seeds([first, replace(second, state=state), third, trial(9)]) == [trial(9)]


def test_a_refused_trial_takes_no_part_in_a_mean() -> None:
    pair = seeds(2, 0.5, 0.7)
    refused = running(0, config=pair[0].config, state=State.REFUSED, accuracy=0.0)
    [mean] = over_seeds([refused, *pair])
    assert (mean.number, mean.accuracy) == (2, pytest.approx(0.6))


def test_a_baseline_and_a_trial_of_the_search_are_not_averaged() -> None:
    given = trial(0, origin=Origin.BASELINE, accuracy=0.2)
    found = trial(1, config=given.config, seed=5, accuracy=0.4)
    assert over_seeds([given, found]) == [given, found]


def test_a_loss_not_known_of_every_seed_has_no_mean() -> None:
    one, two = seeds(0, 0.5, 0.6)
    assert over_seeds([one, replace(two, loss=None)])[0].loss is None


def test_behind_a_mean_are_its_seeds_and_behind_a_trial_itself() -> None:
    several = seeds(0, 0.5, 0.6)
    trials = [*several, trial(7)]
    mean, single = over_seeds(trials)
    assert behind(trials, mean) == several
    assert behind(trials, single) == [single]
    assert behind(trials, several[1]) == [several[1]]
    assert behind([], mean) == [mean]
