"""The chosen front as a step function, against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from runs.confirmation.steps import area, attainment, choose

COST = np.array([4.0, 1.0, 2.0, 2.0, 8.0, 8.0])
VALIDATION = np.array([0.5, 0.3, 0.6, 0.6, 0.7, 0.9])


def test_validation_picks_the_best_up_to_a_cost_and_the_cheaper_of_equals() -> None:
    steps = choose(VALIDATION, COST)
    assert steps.chosen.tolist() == [1, 2, 5]
    assert steps.starts.tolist() == [1, 2, 8]
    assert steps.at([0.5, 1, 1.9, 2, 7.9, 8, 100]).tolist() == [-1, 1, 1, 2, 2, 5, 5]


def test_only_members_are_chosen_and_go_by_their_own_indices() -> None:
    assert choose(VALIDATION, COST, [4, 0, 3]).chosen.tolist() == [3, 4]


def test_the_area_is_the_integral_of_what_was_chosen() -> None:
    """Summed up in narrow strips; test accuracies may fall where validation erred."""
    steps = choose(VALIDATION, COST)
    test = np.array([[0.4, 0.5, 0.4, 0.9, 0.8, 0.9], [0.4, 0.3, 0.5, 0.9, 0.6, 0.9]])
    strips = np.geomspace(1, 20, 200_001)[:-1]
    height = test[:, steps.at(strips)] - 0.1
    found = area(steps, test, guessing=0.1, ceiling=20)
    np.testing.assert_allclose(found, height.mean(axis=1) * np.log10(20), rtol=1e-4)


def test_a_choice_beyond_the_ceiling_adds_nothing() -> None:
    test = np.array([0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    found = area(choose(VALIDATION, COST), test, guessing=0.1, ceiling=2)
    assert found == pytest.approx((0.5 - 0.1) * np.log10(2))


def test_attainment_is_the_quantile_of_the_running_maximum() -> None:
    draws = np.random.default_rng(0).normal(VALIDATION, 0.2, (101, 6))
    found = attainment(draws, COST, [0.5, 1, 2, 5, 8], [0.05, 0.5])
    assert np.isnan(found[:, 0]).all()
    for column, cost in enumerate([1, 2, 5, 8], start=1):
        best = draws[:, cost >= COST].max(axis=1)
        np.testing.assert_allclose(found[:, column], np.quantile(best, [0.05, 0.5]))
