"""Whether a training had converged."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from records import epoch, running, study, trial

from runs.convergence import (
    STILL_FALLING,
    Unconverged,
    fall_per_epoch,
    sentence,
    train_losses,
    unconverged,
)
from runs.noise import Noise
from runs.record import State

DIGITS = Path(__file__).parents[1] / "benchmarks" / "tables" / "digits.parquet"
NOISE = Noise(num_images=400)
STUDY = study(num_classes=10)


def marks_of(losses: list[float], accuracy: float = 0.7) -> list[Unconverged]:
    one = trial(3, accuracy=accuracy)
    return list(unconverged(STUDY, [one], {3: losses}, NOISE).values())


def test_the_fall_is_between_the_halves_of_the_last_fifth() -> None:
    flat = [2.0] * 16
    assert fall_per_epoch([*flat, 1.0, 0.9, 0.8, 0.7]) == pytest.approx(0.1)
    assert fall_per_epoch([*flat[:9], 1.0, 0.9, 0.8]) == pytest.approx(0.1)  # of three, the ends
    assert fall_per_epoch([2.0, 1.5]) == pytest.approx(0.5)
    assert fall_per_epoch([2.0]) is fall_per_epoch([]) is None


def test_one_lucky_epoch_weighs_half_of_what_it_would_alone() -> None:
    curve = [2.0] * 16 + [1.0, 1.0, 1.0, 0.9]
    assert fall_per_epoch(curve) == pytest.approx(0.025)


@pytest.mark.parametrize("epochs", [10, 40, 300])
def test_a_loss_that_still_falls_is_marked_whatever_the_schedule(epochs: int) -> None:
    """The threshold is a pace over the whole training: of long ones a slower one an epoch."""
    pace = STILL_FALLING * math.log(10) / epochs
    line = [3.0 - 1.05 * pace * i for i in range(epochs)]
    slower = [3.0 - 0.95 * pace * i for i in range(epochs)]
    assert marks_of(line) == [Unconverged.LEARNING]
    assert marks_of(slower) == []


def test_an_accuracy_within_noise_of_guessing_is_marked_by_that() -> None:
    assert marks_of([2.3] * 10, accuracy=0.12) == [Unconverged.GUESSING]
    assert marks_of([2.3] * 10, accuracy=0.15) == []
    assert marks_of([9.0 - i for i in range(9)], accuracy=0.1) == [Unconverged.GUESSING]
    unknown = unconverged(STUDY, [trial(accuracy=0.1)], {}, Noise(num_images=None))
    assert unknown == {}, "on how many images is not known"


def test_what_did_not_end_has_no_mark() -> None:
    losses = {0: [3.0, 2.0], 1: [3.0, 2.0]}
    ends = [running(0), running(1, state=State.PRUNED)]
    assert unconverged(STUDY, ends, losses, NOISE) == {}


def test_on_recorded_curves_the_weak_are_marked_and_the_good_are_not() -> None:
    """1,278 trainings of twelve epochs, which weak networks would need more of."""
    rows = pq.read_table(DIGITS, columns=["epoch", "train_loss", "validation_accuracy"]).to_pandas()
    losses = rows["train_loss"].to_numpy().reshape(-1, 12)
    accuracy = rows["validation_accuracy"].to_numpy().reshape(-1, 12)[:, -1]
    assert (rows["epoch"].to_numpy().reshape(-1, 12) == range(1, 13)).all()
    base = trial()
    trials = [replace(base, number=i, accuracy=float(a)) for i, a in enumerate(accuracy)]
    marks = unconverged(STUDY, trials, dict(enumerate(losses.tolist())), NOISE)
    marked = [t.number in marks for t in trials]

    def share(low: float, high: float) -> float:
        some = [m for m, a in zip(marked, accuracy, strict=True) if low <= a < high]
        return sum(some) / len(some)

    assert share(0, 0.9) == 1
    assert 0.3 < share(0.93, 0.96) < 0.7
    assert share(0.96, 1.01) < 0.15


def test_the_sentence_says_how_many_and_what_to_do() -> None:
    assert sentence({}) is None
    learning, guessing = Unconverged.LEARNING, Unconverged.GUESSING
    assert sentence({1: learning, 2: guessing}) == (
        "2 of those shown had not converged (1 no better than guessing): give more epochs, or "
        "another learning rate"
    )
    assert (sentence({2: guessing}) or "").endswith("give another learning rate, or more epochs")


def test_losses_are_kept_a_trial() -> None:
    epochs = [epoch(1, trial=0), epoch(2, trial=0), epoch(1, trial=4)]
    assert train_losses(epochs) == {0: [2.0, 1.0], 4: [2.0]}
