"""Support and records, against brute force and against the table of many seeds."""

from __future__ import annotations

import numpy as np
import pytest
from confirmation_table import rates
from hypothesis import given
from hypothesis import strategies as st

from runs import pareto
from runs.confirmation.draws import draw
from runs.confirmation.estimate import estimate
from runs.confirmation.image_results import image_results
from runs.confirmation.membership import (
    Membership,
    candidates,
    memberships,
    record_shares,
    support,
)

# Few different values, so that ties in cost and in accuracy are common.
WORLDS = st.integers(1, 6).flatmap(
    lambda m: st.tuples(
        st.lists(st.sampled_from([1.0, 2.0, 3.0]), min_size=m, max_size=m),
        st.lists(
            st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4]), min_size=m, max_size=m),
            min_size=1,
            max_size=5,
        ),
    )
)


@given(WORLDS)
def test_support_is_the_share_of_draws_above_all_that_cost_no_more(
    given_world: tuple[list[float], list[list[float]]],
) -> None:
    cost, draws = given_world
    expected = np.zeros(len(cost))
    for accuracy in draws:
        for i in range(len(cost)):
            rivals = [j for j in range(len(cost)) if j != i and cost[j] <= cost[i]]
            ties = [j for j in rivals if accuracy[j] == accuracy[i]]
            beaten = any(accuracy[j] > accuracy[i] for j in rivals)
            if not beaten and all(cost[j] == cost[i] for j in ties):
                expected[i] += 1 / (1 + len(ties)) / len(draws)
    np.testing.assert_allclose(support(np.array(draws), cost), expected)


@given(WORLDS)
def test_the_record_is_the_best_of_all_others_that_cost_no_more(
    given_world: tuple[list[float], list[list[float]]],
) -> None:
    cost, draws = given_world
    found = record_shares(np.array(draws), cost)
    for i in range(len(cost)):
        rivals = [j for j in range(len(cost)) if j != i and cost[j] <= cost[i]]
        assert found[i].sum() == pytest.approx(1 if rivals else 0)
        best = [max(accuracy[j] for j in rivals) for accuracy in draws] if rivals else []
        for j in np.flatnonzero(found[i]):
            assert j in rivals
            could = [a[j] == b for a, b in zip(draws, best, strict=True)]
            assert found[i, j] <= np.mean(could) + 1e-9


def test_one_draw_without_ties_gives_the_front() -> None:
    rng = np.random.default_rng(0)
    cost, accuracy = rng.integers(1, 20, 40).astype(float), rng.random(40)
    assert set(np.flatnonzero(support(accuracy[None], cost))) == set(pareto.front(cost, accuracy))


def test_support_has_three_readings() -> None:
    assert memberships(np.array([0.0, 0.05, 0.06, 0.94, 0.95, 1.0])) == [
        *[Membership.OFF] * 2,
        *[Membership.UNDECIDED] * 2,
        *[Membership.ON] * 2,
    ]


def test_of_two_equal_configurations_the_dearer_has_half_the_support() -> None:
    """On average over samples; at equal cost both have, and the cheaper is sure of its place."""
    rng = np.random.default_rng(1)
    image = rng.random(100) < 0.8
    dearer, equal = [], []
    for _ in range(100):
        right = [np.where(rng.random((4, 100)) < 0.3, ~image, image) for _ in range(2)]
        draws = draw(estimate(image_results(right)), rng, 500)
        dearer.append(support(draws, [1, 2]))
        equal.append(support(draws, [1, 1]))
    assert np.mean(dearer, axis=0) == pytest.approx([1, 0.5], abs=0.08)
    assert np.mean(equal, axis=0) == pytest.approx([0.5, 0.5], abs=0.08)
    assert np.std(dearer, axis=0)[1] > 0.15  # each sample has an opinion


def test_configurations_that_got_the_same_right_share_their_place() -> None:
    draws = np.full((10, 3), 0.5)
    np.testing.assert_allclose(support(draws, [1, 1, 2]), [0.5, 0.5, 0])


def test_candidates_are_the_most_probable_of_each_family() -> None:
    rng = np.random.default_rng(2)
    cost = np.array([1.0, 2, 3, 4, 1, 2, 3, 4])
    mean = np.array([0.5, 0.65, 0.1, 0.62, 0.2, 0.3, 0.4, 0.1])
    family = ["mixer"] * 4 + ["vit"] * 4
    found = candidates(mean, np.full(8, 0.05), cost, family, rng, limit=2)
    assert set(found.chosen) == {0, 1, 4, 5}
    assert set(found.left_out) == {3, 6}  # 2 and 7 have no chance, and nobody misses them
    for indices in (found.chosen, found.left_out):
        assert (np.diff(found.probability[indices]) <= 0).all()
    assert found.probability[0] == found.probability[4] == 1  # the cheapest have no rivals


def test_an_uncertain_configuration_may_be_a_candidate_before_a_better_one() -> None:
    """What was stopped early enters by what it may be."""
    mean, deviation = np.array([0.80, 0.78, 0.70]), np.array([0.01, 0.005, 0.2])
    rng = np.random.default_rng(3)
    found = candidates(mean, deviation, [1, 2, 3], ["mixer"] * 3, rng, limit=2)
    assert set(found.chosen) == {0, 2}


@pytest.mark.parametrize("num_seeds", [3, 5])
def test_what_is_decided_is_right(num_seeds: int) -> None:
    right, wrong, share = rates.decided(num_seeds, repeats=150)
    assert right >= 95
    assert wrong <= 5
    assert share > 40


@pytest.mark.slow
@pytest.mark.parametrize("num_seeds", [3, 5])
def test_on_is_right_in_97_percent_and_off_wrong_in_at_most_5(num_seeds: int) -> None:
    right, wrong, _ = rates.decided(num_seeds, repeats=400)
    assert right >= 97
    assert wrong <= 5
