"""How long workers were silent and busy: by a clock that can be moved."""

from __future__ import annotations

import pytest

from runs.record import Failure
from search.protocol import WorkerDied
from search.workers.liveness import Liveness


class Clock:
    """Shows whatever it is set to."""

    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def liveness(clock: Clock) -> Liveness:
    return Liveness(2, silent_limit=10, trial_limit=90, clock=clock)


def go_on(liveness: Liveness, clock: Clock, seconds: int, *, alive: tuple[int, ...] = ()) -> None:
    """A look a second, at which these workers give a heartbeat."""
    for _ in range(seconds):
        clock.seconds += 1
        liveness.tick()
        for worker in alive:
            liveness.heartbeat(worker)


def test_a_worker_is_given_up_that_is_silent_for_longer_than_the_limit(
    liveness: Liveness, clock: Clock
) -> None:
    go_on(liveness, clock, 10, alive=(1,))
    assert [liveness.given_up(worker) for worker in (0, 1)] == [None, None]
    go_on(liveness, clock, 1, alive=(1,))
    assert liveness.given_up(0) == WorkerDied("it gave no sign of life for 10 s")
    assert liveness.given_up(1) is None
    assert liveness.silent_seconds(0) == 11


def test_a_trial_is_given_up_that_takes_longer_than_the_limit(
    liveness: Liveness, clock: Clock
) -> None:
    go_on(liveness, clock, 50, alive=(0, 1))
    liveness.begin_trial(1)
    go_on(liveness, clock, 90, alive=(0, 1))
    assert liveness.given_up(1) is None
    go_on(liveness, clock, 1, alive=(0, 1))
    why = "it took longer than 1m30s (--trial-timeout)"
    assert liveness.given_up(1) == WorkerDied(why, Failure.TIMEOUT, 90)
    assert liveness.given_up(0) is None, "it has nothing to do"
    liveness.end_trial(1)
    assert (liveness.given_up(1), liveness.busy_seconds(1)) == (None, 0)


def test_of_a_silent_worker_whose_trial_takes_too_long_the_trial_is_to_blame(
    liveness: Liveness, clock: Clock
) -> None:
    """The trial is not tried again, whoever trains it."""
    liveness.begin_trial(0)
    go_on(liveness, clock, 91)
    lost = liveness.given_up(0)
    assert lost is not None
    assert not lost.may_retry


def test_without_a_limit_a_trial_may_take_for_ever(clock: Clock) -> None:
    liveness = Liveness(1, silent_limit=10, trial_limit=None, clock=clock)
    liveness.begin_trial(0)
    go_on(liveness, clock, 100_000, alive=(0,))
    assert liveness.given_up(0) is None


def test_time_in_which_the_coordinator_stood_still_does_not_count(
    liveness: Liveness, clock: Clock
) -> None:
    liveness.begin_trial(0)
    go_on(liveness, clock, 5)
    clock.seconds += 24 * 3600
    liveness.tick()
    assert liveness.given_up(0) is None
    assert liveness.silent_seconds(0) == liveness.busy_seconds(0) == 7
    go_on(liveness, clock, 4)
    assert liveness.given_up(0) is not None, "the time before and after does"


def test_a_worker_that_takes_the_place_of_another_begins_anew(
    liveness: Liveness, clock: Clock
) -> None:
    liveness.begin_trial(0)
    go_on(liveness, clock, 91)
    liveness.restart(0)
    assert liveness.given_up(0) is None
    assert liveness.silent_seconds(0) == liveness.busy_seconds(0) == 0
