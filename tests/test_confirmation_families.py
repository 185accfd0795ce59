"""Two families compared, against brute force and against themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from confirmation_table import rates

from runs.confirmation.errors import ConfirmationError
from runs.confirmation.estimate import Estimate
from runs.confirmation.families import compare
from runs.confirmation.intervals import Interval, difference_interval
from runs.confirmation.steps import area, choose

FAMILIES = ("mixer", "vit")
FAMILY = ["mixer", "vit", "mixer", "vit", "vit"]
COST = np.array([1.0, 2.0, 4.0, 5.0, 8.0])
VALIDATION = np.array([0.6, 0.5, 0.8, 0.7, 0.9])
TEST = Estimate(
    accuracy=np.array([0.61, 0.52, 0.79, 0.68, 0.88]),
    num_seeds=np.array([3, 3, 4, 5, 5]),
    seed_variance=np.full(5, 4e-4),
    degrees_of_freedom=np.full(5, 12.0),
    image_covariance=1e-4 * (0.5 * np.eye(5) + 0.5),
)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_each_step_compares_those_that_validation_chose() -> None:
    found = compare(TEST, VALIDATION, COST, FAMILY, FAMILIES, rng(), ceiling=10)
    assert found.starts.tolist() == [2, 4, 5, 8]  # from where both have a member
    assert found.chosen.tolist() == [[0, 1], [2, 1], [2, 3], [2, 4]]
    assert found.num_seeds.tolist() == [[3, 3], [4, 3], [4, 5], [4, 5]]
    np.testing.assert_allclose(found.value, [0.09, 0.27, 0.11, -0.09])
    assert found.at(7.99).value == found.value[2]
    assert found.at(10).value == found.value[3]
    assert [found.step(cost) for cost in (2, 3.9, 4, 8)] == [0, 0, 1, 3]


@pytest.mark.parametrize("cost", [1.9, 10.1])
def test_where_one_family_has_nothing_there_is_no_difference(cost: float) -> None:
    found = compare(TEST, VALIDATION, COST, FAMILY, FAMILIES, rng(), ceiling=10)
    with pytest.raises(ConfirmationError, match="both families have a member: ask for one from 2"):
        found.at(cost)


def test_the_grid_has_200_costs_from_end_to_end() -> None:
    found = compare(TEST, VALIDATION, COST, FAMILY, FAMILIES, rng(), ceiling=10)
    costs, value, low, high = found.grid()
    assert len(costs) == 200
    assert (costs[0], costs[-1]) == pytest.approx((2, 10))
    np.testing.assert_allclose(np.diff(np.log(costs)), np.log(5) / 199)
    intervals = [found.at(cost) for cost in np.clip(costs, 2, 10)]
    expected = [Interval(value=v, low=a, high=b) for v, a, b in zip(value, low, high, strict=True)]
    assert intervals == expected


def test_the_order_of_the_families_is_the_sign() -> None:
    one = compare(TEST, VALIDATION, COST, FAMILY, FAMILIES, rng())
    other = compare(TEST, VALIDATION, COST, FAMILY, ("vit", "mixer"), rng())
    np.testing.assert_allclose(one.value, -other.value)
    np.testing.assert_allclose(one.low, -other.high)


def test_one_step_has_the_interval_of_a_difference() -> None:
    pair = TEST.only([2, 4])
    found = compare(
        pair, VALIDATION[[2, 4]], [4.0, 4.0], FAMILIES, FAMILIES, rng(), ceiling=8, num_draws=40_000
    )
    expected = difference_interval(pair, 0, 1)
    assert found.at(4) == Interval(
        value=pytest.approx(expected.value),
        low=pytest.approx(expected.low, abs=2e-3),
        high=pytest.approx(expected.high, abs=2e-3),
    )


def test_a_band_over_several_steps_is_wider_than_an_interval_for_one() -> None:
    found = compare(TEST, VALIDATION, COST, FAMILY, FAMILIES, rng(), num_draws=20_000)
    for (i, j), low, high in zip(found.chosen, found.low, found.high, strict=True):
        alone = difference_interval(TEST, i, j)
        assert 1.08 < (high - low) / (alone.high - alone.low) < 1.5


def test_the_band_holds_all_steps_of_19_in_20_draws() -> None:
    """Drawn anew around the estimate, with the distribution that is claimed."""
    found = compare(TEST, VALIDATION, COST, FAMILY, FAMILIES, rng(), num_draws=20_000)
    other = np.random.default_rng(1)
    t = other.standard_t(12, (20_000, 5)) * np.sqrt(TEST.mean_variance)
    images = other.multivariate_normal(np.zeros(5), TEST.image_covariance, 20_000)
    drawn = TEST.accuracy + t + images
    value = drawn[:, found.chosen[:, 0]] - drawn[:, found.chosen[:, 1]]
    inside = ((found.low <= value) & (value <= found.high)).all(axis=1)
    assert inside.mean() == pytest.approx(0.95, abs=0.006)


def test_the_hypervolume_difference_is_that_of_the_areas() -> None:
    """From the first cost where both have a member on."""
    found = compare(TEST, VALIDATION, COST, FAMILY, FAMILIES, rng(), ceiling=10)
    from_two = np.maximum(COST, 2.0)
    one, other = (
        area(choose(VALIDATION, from_two, members), TEST.accuracy, guessing=0.1, ceiling=10)
        for members in ([0, 2], [1, 3, 4])
    )
    assert found.hypervolume.value == pytest.approx(float(one - other))
    assert found.hypervolume.low < found.hypervolume.value < found.hypervolume.high


def test_a_step_without_noise_has_no_say_in_the_band() -> None:
    """Its t would be 0 / 0; the other steps keep their band."""
    exact = replace(
        TEST,
        seed_variance=np.array([0, 0, 4e-4, 4e-4, 4e-4]),
        image_covariance=np.diag([0, 0, 1e-4, 1e-4, 1e-4]),
    )
    found = compare(exact, VALIDATION, COST, FAMILY, FAMILIES, rng())
    assert found.low[0] == found.value[0] == found.high[0]
    assert (found.low[1:] < found.value[1:]).all()
    assert np.isfinite([*found.low, *found.high]).all()


def test_a_family_that_was_not_confirmed_cannot_be_compared() -> None:
    with pytest.raises(ConfirmationError, match="no configuration of the family 'vit' was confirm"):
        compare(TEST, VALIDATION, COST, ["mixer"] * 5, FAMILIES, rng())
    with pytest.raises(ConfirmationError, match="nothing to compare with"):
        compare(TEST, VALIDATION, COST, FAMILY, FAMILIES, rng(), ceiling=1.5)


@pytest.mark.slow
@pytest.mark.parametrize("num_seeds", [3, 5])
def test_the_band_holds_the_difference_of_those_chosen(num_seeds: int) -> None:
    """Whom validation chose had luck, and test sees the same trainings: that takes a little of the
    95 % (94.5 and 92.2 were counted). The band may hold more too: it rests on covariances that
    were made possible."""
    assert rates.held(rates.world(), num_seeds, repeats=400)[0] >= 91


def test_luck_of_those_chosen_stays_inside_the_band() -> None:
    """Of 20 close candidates a family validation picks those whose seeds are lucky, on test too."""
    holds, luck = rates.held(rates.crowded(), 3, repeats=60)
    assert luck.min() > 0.3
    assert holds >= 85


def test_a_family_is_not_better_than_itself() -> None:
    assert rates.against_itself(3, repeats=60)[0] <= 10


@pytest.mark.slow
@pytest.mark.parametrize("num_seeds", [3, 5])
@pytest.mark.parametrize("more", [0, 34])
def test_a_family_is_better_than_itself_in_at_most_7_percent(num_seeds: int, more: int) -> None:
    band, _ = rates.against_itself(num_seeds, repeats=400, more=more)
    assert band <= 7
