"""When it is settled what a worker trains next."""

from __future__ import annotations

import pytest

from runs.record import EpochRecord, Timing
from search.study.look_ahead import MANY_WORKERS, LookAhead


def epoch(number: int, elapsed_seconds: float) -> EpochRecord:
    return EpochRecord(
        trial=0,
        epoch=number,
        train_loss=1.0,
        train_accuracy=0.5,
        validation_loss=1.0,
        validation_accuracy=0.5,
        learning_rate=0.1,
        elapsed_seconds=elapsed_seconds,
    )


def compiled_in(seconds: float) -> Timing:
    return Timing(
        compile_seconds=seconds, train_seconds=1.0, eval_seconds=0.1, images_per_second=1.0
    )


def due(looking: LookAhead, seconds_an_epoch: float, epochs: int = 10) -> int:
    """After which epoch it is settled."""
    return next(
        n for n in range(1, epochs + 1) if looking.is_due(epoch(n, n * seconds_an_epoch), epochs)
    )


def test_few_workers_look_ahead_at_the_start() -> None:
    assert LookAhead(MANY_WORKERS - 1).at_start
    assert not LookAhead(MANY_WORKERS).at_start


@pytest.mark.parametrize(
    ("compile_seconds", "after"),
    [(0.0, 5), (0.1, 5), (24.0, 5), (25.0, 5), (35.0, 3), (44.9, 2), (45.0, 1), (500.0, 1)],
)
def test_many_leave_twice_the_time_to_compile_and_half_the_training_at_most(
    compile_seconds: float, after: int
) -> None:
    """Trainings of 100 s: after epoch n there are 100 - 10 n s left."""
    looking = LookAhead(16)
    assert due(looking, 10.0) == 5
    looking.ended(compiled_in(compile_seconds))
    looking.ended(compiled_in(0.05))  # from the cache
    assert due(looking, 10.0) == after


def test_a_training_of_one_epoch_looks_ahead_after_it() -> None:
    assert due(LookAhead(16), 10.0, epochs=1) == 1
