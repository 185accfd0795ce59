"""What early stopping saved: sums by hand."""

from __future__ import annotations

import pytest
from records import at, trial

from runs.record import Origin, State
from runs.stopped import stopped


def test_saved_is_what_the_epochs_not_trained_would_have_cost() -> None:
    whole, cut = trial(0), trial(1, state=State.PRUNED, rung=4, epochs=12)
    found = stopped([whole, cut, trial(2, origin=Origin.BASELINE)])
    assert whole.training_flops
    assert cut.training_flops
    assert cut.timing
    images = cut.timing.images_per_second * cut.timing.train_seconds
    assert cut.training_flops == pytest.approx(3 * cut.flops * images)
    assert found.stopped == 1
    assert found.saved_flops == pytest.approx(2 * cut.training_flops)
    assert found.spent_flops == pytest.approx(whole.training_flops + cut.training_flops)


def test_the_exempt_on_the_front_are_counted() -> None:
    trials = [
        at(1_000_000, 0.8, 0),
        at(2_000_000, 0.9, 1, rung=4),
        at(3_000_000, 0.85, 2, rung=1),
        at(4_000_000, 0.1, 3, state=State.PRUNED, rung=1),
    ]
    found = stopped(trials)
    assert (found.exempt, found.exempt_on_front) == (2, 1)


def test_an_exempt_trial_that_is_useless_is_no_regret() -> None:
    trials = [at(1_000_000, 0.3, 0, rung=1), at(2_000_000, 0.9, 1, rung=4)]
    assert stopped(trials).exempt_on_front == 2
    assert stopped(trials, min_accuracy=0.5).exempt_on_front == 1


def test_seeds_of_one_configuration_are_one() -> None:
    config = trial(0).config
    seeds = [trial(i, config=config, seed=i, state=State.PRUNED, rung=4) for i in range(3)]
    assert stopped(seeds).stopped == 1
