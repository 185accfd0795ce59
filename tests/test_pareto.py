"""Front, hypervolume, knee and budgets, against Optuna's own code and against brute force."""

from __future__ import annotations

import itertools
import math

import numpy as np
import optuna._hypervolume
import optuna.study._multi_objective
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runs.pareto import (
    Reference,
    best_under,
    cheapest_above,
    front,
    hypervolume,
    hypervolume_history,
    knee,
)

REFERENCE = Reference(accuracy=0.1, cost=1e9)

# Few different values, so that ties and duplicates are common; some lie beyond the reference.
FLOPS = st.sampled_from([1e5, 1e6, 2e6, 1e7, 3e8, 1e9, 2e9]) | st.floats(1e4, 1e10)
ACCURACY = st.sampled_from([0.0, 0.05, 0.1, 0.3, 0.5, 0.9, 1.0]) | st.floats(0, 1)
TRIALS = st.lists(st.tuples(FLOPS, ACCURACY), max_size=14)
Trials = list[tuple[float, float]]

quick = settings(deadline=None, max_examples=60)


def columns(trials: Trials) -> tuple[list[float], list[float]]:
    return [flops for flops, _ in trials], [accuracy for _, accuracy in trials]


def dominates(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] <= other[0] and one[1] >= other[1] and one != other


@quick
@given(TRIALS)
def test_the_front_is_whom_nobody_dominates_cheapest_first(trials: Trials) -> None:
    found = front(*columns(trials))
    assert found == sorted(found, key=lambda i: (trials[i][0], i))
    assert set(found) == {
        i for i, trial in enumerate(trials) if not any(dominates(t, trial) for t in trials)
    }


@quick
@given(TRIALS)
def test_the_front_is_optunas(trials: Trials) -> None:
    losses = np.array([(-accuracy, flops) for flops, accuracy in trials]).reshape(-1, 2)
    theirs = optuna.study._multi_objective._is_pareto_front(losses, assume_unique_lexsorted=False)
    assert set(front(*columns(trials))) == set(np.flatnonzero(theirs))


@quick
@given(TRIALS)
@example([(1e9, 0.5), (1e8, 0.1), (2e9, 0.9)])  # all on or beyond the reference
def test_the_hypervolume_is_optunas_over_log_flops(trials: Trials) -> None:
    inside = [t for t in trials if t[0] <= REFERENCE.cost and t[1] >= REFERENCE.accuracy]
    losses = np.array([(-accuracy, math.log10(flops)) for flops, accuracy in inside])
    end = np.array([-REFERENCE.accuracy, math.log10(REFERENCE.cost)])
    theirs = optuna._hypervolume.compute_hypervolume(losses.reshape(-1, 2), end)
    assert hypervolume(*columns(trials), REFERENCE) == pytest.approx(theirs, abs=1e-9)


@quick
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=10))
def test_the_hypervolume_is_the_number_of_cells_somebody_dominates(cells: Trials) -> None:
    trials = [(10.0**x, y / 10) for x, y in cells]
    counted = sum(
        any(x <= column and y > row for x, y in cells) for column in range(9) for row in range(1, 9)
    )
    assert hypervolume(*columns(trials), REFERENCE) == pytest.approx(counted / 10)


@quick
@given(TRIALS)
def test_the_hypervolumes_history_is_that_of_the_first_trials_and_never_falls(
    trials: Trials,
) -> None:
    history = hypervolume_history(*columns(trials), REFERENCE)
    afresh = [hypervolume(*columns(trials[: n + 1]), REFERENCE) for n in range(len(trials))]
    assert history == pytest.approx(afresh, abs=1e-12)
    assert all(b >= a - 1e-12 for a, b in itertools.pairwise(history))


@quick
@given(TRIALS, FLOPS)
def test_the_best_under_a_budget_is_the_most_accurate_then_the_cheapest(
    trials: Trials, budget: float
) -> None:
    affordable = [(-a, f, i) for i, (f, a) in enumerate(trials) if f <= budget]
    expected = min(affordable)[2] if affordable else None
    assert best_under(*columns(trials), budget) == expected


@quick
@given(TRIALS, ACCURACY)
def test_the_cheapest_above_an_accuracy_is_the_cheapest_then_the_most_accurate(
    trials: Trials, least: float
) -> None:
    able = [(f, -a, i) for i, (f, a) in enumerate(trials) if a >= least]
    assert cheapest_above(*columns(trials), least) == (min(able)[2] if able else None)


def test_a_front_drawn_by_hand() -> None:
    #         dear     best    cheap   tied    beaten  tied too
    flops = [3e8, 3e8, 1e6, 1e7, 1e7, 1e7]
    gains = [0.80, 0.90, 0.30, 0.70, 0.69, 0.70]
    assert front(flops, gains) == [2, 3, 5, 1]
    # (0.3 - 0.1) x 1 decade + (0.7 - 0.1) x log10(30) + (0.9 - 0.1) x log10(1e9 / 3e8)
    by_hand = 0.2 * 1 + 0.6 * 1.4771212547 + 0.8 * 0.5228787453
    assert hypervolume(flops, gains, REFERENCE) == pytest.approx(by_hand)
    assert best_under(flops, gains, 1e7) == 3
    assert best_under(flops, gains, 9e5) is None
    assert cheapest_above(flops, gains, 0.7) == 3
    assert cheapest_above(flops, gains, 0.71) == 1
    assert cheapest_above(flops, gains, 0.95) is None


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        ([], None),
        ([(1e6, 0.3)], 0),
        ([(1e6, 0.3), (1e7, 0.5)], 1),  # two: the better
        ([(1e6, 0.3), (1e7, 0.5), (1e7, 0.5)], 1),  # of equals the first
        ([(1e6, 0.3), (1e6, 0.3)], 0),
        ([(1e6, 0.3), (1e7, 0.8), (1e8, 0.9)], 1),  # the upper corner
        ([(1e6, 0.3), (1e7, 0.4), (1e8, 0.9)], 2),  # hollow: it bends nowhere
        ([(1e6, 0.3), (1e7, 0.6), (1e8, 0.9)], 2),  # straight
        ([(1e8, 0.9), (1e7, 0.8), (1e6, 0.3)], 1),  # in any order
        ([(1e6, 0.3), (1e7, 0.8), (2e7, 0.2), (1e8, 0.9)], 1),  # the dominated do not count
        ([(1e6, 0.1), (2e6, 0.5), (1e8, 0.8), (1e10, 0.9)], 1),  # 2 if FLOPs were not in decades
    ],
)
def test_the_knee_is_farthest_above_the_line_between_the_ends(
    trials: Trials, expected: int | None
) -> None:
    assert knee(*columns(trials)) == expected


@quick
@given(TRIALS)
def test_the_knee_is_on_the_front_and_no_point_of_it_is_farther(trials: Trials) -> None:
    found = knee(*columns(trials))
    on_front = front(*columns(trials))
    if len(on_front) < 3:
        assert found == best_under(*columns(trials), math.inf)
        return
    assert found in on_front
    x = np.log10([trials[i][0] for i in on_front])
    y = np.array([trials[i][1] for i in on_front])
    if x[-1] - x[0] < 1e-6 or y[-1] - y[0] < 1e-6:
        return
    x, y = (x - x[0]) / (x[-1] - x[0]), (y - y[0]) / (y[-1] - y[0])
    above = y - x
    assert above[on_front.index(found)] == pytest.approx(max(above), abs=1e-9)


@pytest.mark.parametrize(
    ("flops", "accuracy"),
    [
        ([1e6], [0.5, 0.6]),
        ([[1e6]], [[0.5]]),
        ([0.0], [0.5]),
        ([-1e6], [0.5]),
        ([math.inf], [0.5]),
        ([math.nan], [0.5]),
        ([1e6], [math.nan]),
        ([1e6], [math.inf]),
    ],
)
def test_numbers_that_are_no_objectives_are_a_bug(
    flops: list[float], accuracy: list[float]
) -> None:
    with pytest.raises(ValueError, match="cost"):
        front(flops, accuracy)
    with pytest.raises(ValueError, match="cost"):
        hypervolume(flops, accuracy, REFERENCE)


def test_no_trials_have_no_front_and_no_volume() -> None:
    assert front([], []) == []
    assert hypervolume([], [], REFERENCE) == 0
    assert hypervolume_history([], [], REFERENCE) == []
    assert best_under([], [], 1e9) is cheapest_above([], [], 0.0) is None
