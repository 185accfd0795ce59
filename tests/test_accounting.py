"""Where a study's wall clock went."""

from __future__ import annotations

from typing import Any

import pytest
from records import running, trial

from runs.accounting import account
from runs.record import State, Timing, TrialRecord


def timed(
    number: int,
    wall: float | None,
    train: float,
    evaluate: float,
    *,
    compiling: float = 0.0,
    hit: bool | None = False,
    **changes: Any,
) -> TrialRecord:
    timing = Timing(
        compile_seconds=compiling,
        train_seconds=train,
        eval_seconds=evaluate,
        images_per_second=100.0,
        trace_seconds=0.5,
        cache_hit=hit,
    )
    return trial(number, timing=timing, wall_seconds=wall, **changes)


def test_the_wall_clocks_of_several_workers_are_all_accounted_for() -> None:
    """Two workers for 20 s, of which each trained 16: a study of 20 s with two devices."""
    found = account([timed(n, 10.0, 14.0, 2.0, num_workers=2) for n in range(2)])
    assert (found.wall_seconds, found.worker_seconds, found.other_seconds) == (20.0, 40.0, 8.0)
    assert found.busy_share == pytest.approx(0.8)
    assert found.trials_per_hour == pytest.approx(360)


def test_the_busy_share_is_training_and_validating_of_the_wall_clock() -> None:
    found = account([timed(0, 10.0, 6.0, 2.0), timed(1, 30.0, 20.0, 4.0)])
    assert (found.wall_seconds, found.train_seconds, found.eval_seconds) == (40.0, 26.0, 6.0)
    assert found.other_seconds == 8.0
    assert found.busy_share == pytest.approx(0.8)


def test_compiling_is_no_part_of_the_wall_clock() -> None:
    """It happens while the trial before trains: an hour of it changes no share."""
    found = account([timed(0, 10.0, 8.0, 2.0, compiling=3600.0)])
    assert (found.busy_share, found.other_seconds) == (1.0, 0.0)
    assert (found.compile_seconds, found.trace_seconds) == (3600.0, 0.5)


def test_failed_trials_have_spent_time_and_count_as_ended() -> None:
    died = running(1, state=State.FAILED, wall_seconds=8.0)
    diverged = timed(2, 6.0, 4.0, 1.0, state=State.FAILED, accuracy=None)
    found = account([timed(0, 10.0, 4.0, 1.0), died, diverged])
    assert found.busy_share == pytest.approx(10 / 24)
    assert found.trials_per_hour == pytest.approx(3600 * 3 / 24)


def test_trials_of_which_no_wall_clock_is_known_are_left_out() -> None:
    """Older ones, those that run and those that never did: their training would count for free."""
    others = [timed(1, None, 9.0, 9.0), running(2), running(3, state=State.REFUSED)]
    assert account([timed(0, 10.0, 4.0, 1.0), *others]) == account([timed(0, 10.0, 4.0, 1.0)])
    assert account([running(3, state=State.REFUSED, wall_seconds=1.0)]).trials == 0


def test_of_nothing_no_share_is_known() -> None:
    found = account([])
    assert found.busy_share is found.trials_per_hour is found.median_compile_seconds is None
    assert (found.trials, found.programs, found.wall_seconds) == (0, 0, 0)


def test_programs_from_the_cache_do_not_lower_the_median_of_compiling() -> None:
    trials = [timed(n, 10.0, 4.0, 1.0, compiling=float(n)) for n in (1, 2, 6)]
    trials += [timed(n, 10.0, 4.0, 1.0, compiling=0.01, hit=True) for n in (7, 8)]
    found = account([*trials, timed(9, 1.0, 0.5, 0.1, hit=None), running(10, wall_seconds=1.0)])
    assert (found.cache_hits, found.programs) == (2, 5)
    assert found.median_compile_seconds == 2.0
    assert account(trials[3:]).median_compile_seconds is None


def test_seeds_that_train_together_are_one_program() -> None:
    """Each has its share of the seconds: together they took four to compile."""
    config = trial(0).config
    together = [timed(n, 5.0, 3.0, 1.0, compiling=2.0, config=config, seed=n) for n in (0, 1)]
    found = account(together)
    assert (found.trials, found.programs, found.cache_hits) == (2, 1, 0)
    assert found.median_compile_seconds == 4.0
