"""The lanes of a study's trainings, and what stands in them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import groupby, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import NOON, running, trial

from runs.record import State, Timing, TrialRecord
from runs.timeline import Phase, Stretch, lanes_of, thinned, timeline


def trained(number: int, start: float, seconds: float, **changes: object) -> TrialRecord:
    """A trial that began so many seconds after noon and took so many."""
    began = NOON + timedelta(seconds=start)
    changes = {"timing": None} | changes
    ended = began + timedelta(seconds=seconds)
    return replace(trial(number), started_at=began, finished_at=ended, **changes)


def timing(training: float, validating: float, compiling: float) -> Timing:
    return Timing(
        compile_seconds=compiling,
        train_seconds=training,
        eval_seconds=validating,
        images_per_second=1.0,
    )


spans = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 60)), min_size=1, max_size=60)


def assert_no_overlap(stretches: list[Stretch]) -> None:
    for _, lane in groupby(stretches, lambda one: one.lane):
        for before, after in pairwise(lane):
            assert before.end <= after.start


@given(spans)
def test_stretches_of_a_lane_never_overlap_and_lanes_are_as_many_as_ran_at_once(
    given: list[tuple[int, int]],
) -> None:
    found = timeline([trained(i, start, size) for i, (start, size) in enumerate(given)])
    assert sorted(n for one in found for n in one.trials) == list(range(len(given)))
    assert_no_overlap(found)
    at_once = max(
        sum(begin <= start < begin + size or begin == start for begin, size in given)
        for start, _ in given
    )
    assert lanes_of(found) <= at_once


@given(spans, st.integers(4, 20))
def test_thinning_keeps_every_second_and_every_trial(
    given: list[tuple[int, int]], most: int
) -> None:
    whole = timeline([trained(i, start, size) for i, (start, size) in enumerate(given)])
    few = thinned(whole, most)
    assert len(few) <= max(most, 0) + lanes_of(whole)
    assert_no_overlap(few)
    assert sorted(n for one in few for n in one.trials) == list(range(len(given)))
    untimed = [sum(one.seconds.get(Phase.UNTIMED, 0.0) for one in some) for some in (whole, few)]
    assert untimed[0] == pytest.approx(untimed[1])
    for one in few:
        assert sum(one.seconds.values()) == pytest.approx(one.duration)


def test_a_worker_takes_its_next_trial_when_the_one_before_ends() -> None:
    two = [trained(0, 0, 10), trained(1, 0, 25), trained(2, 10, 30), trained(3, 25, 5)]
    assert [(one.lane, one.trials) for one in timeline(two)] == [
        (0, (0,)),
        (0, (2,)),
        (1, (1,)),
        (1, (3,)),
    ]


def test_of_several_free_lanes_a_training_stands_in_the_one_that_was_free_last() -> None:
    found = timeline([trained(0, 0, 10), trained(1, 0, 20), trained(2, 20, 5)])
    assert [(one.lane, one.trials) for one in found] == [(0, (0,)), (1, (1,)), (1, (2,))]


def test_a_training_is_divided_as_it_was_timed() -> None:
    [one] = timeline([trained(0, 0, 20, timing=timing(12, 3, 2))])
    assert one.seconds == {
        Phase.COMPILING: 2,
        Phase.TRAINING: 12,
        Phase.VALIDATING: 3,
        Phase.WAITING: 3,
    }


def test_compiling_in_the_background_is_no_time_of_the_worker() -> None:
    [one] = timeline([trained(0, 0, 16, timing=timing(12, 3, 9))])
    assert one.seconds[Phase.COMPILING] == 1
    assert one.seconds[Phase.WAITING] == 0


def test_a_trial_that_went_on_is_shown_since_then() -> None:
    """Its timing is of all its training, its start of the last time it began."""
    [one] = timeline([trained(0, 0, 10, timing=timing(16, 4, 1))])
    assert one.seconds == {Phase.TRAINING: 8, Phase.VALIDATING: 2}


def test_seeds_that_train_together_are_one_stretch_and_one_after_the_other_are_two() -> None:
    config = trial(0).config
    half = timing(5, 1, 1)
    together = [trained(i, 0.001 * i, 13, config=config, seed=i, timing=half) for i in range(2)]
    [one] = timeline(together)
    assert (one.trials, one.seconds[Phase.TRAINING]) == ((0, 1), 10)
    later = trained(2, 20, 10, config=config, seed=2)
    assert [one.trials for one in timeline([*together, later])] == [(0, 1), (2,)]


def test_what_runs_ends_now_and_what_was_interrupted_has_no_end() -> None:
    runs = running(0, started_at=NOON)
    [one] = timeline([runs], now=NOON + timedelta(seconds=7))
    assert one.seconds == {Phase.RUNNING: 7}
    assert timeline([runs]) == []


def test_refused_trials_never_started() -> None:
    assert timeline([running(0, state=State.REFUSED)]) == []
    assert thinned([]) == []
