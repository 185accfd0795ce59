"""Which of very many trials are drawn."""

from __future__ import annotations

import numpy as np
from records import at

from runs.plot.figures.front import Series, front_figure
from runs.points import Floats, Points, points_of
from runs.thinning import MOST_DRAWN, drawn, sampled, thinned_sentence
from space.costs import FLOPS

TRIAL = at(2, 0.5)


def many(size: int, seed: int = 0) -> Points:
    """A cloud that rises with the cost."""
    draw = np.random.default_rng(seed)
    x = 10 ** draw.uniform(6, 9, size)
    accuracy = np.clip(0.1 * np.log10(x) - draw.exponential(0.1, size), 0, 1)
    return placed(x, accuracy)


def placed(x: Floats, accuracy: Floats) -> Points:
    """Points there; all of their trials are one and the same record."""
    points = Points(axis=FLOPS, trials=[TRIAL] * len(x), x=x, seeds=[[0.5]] * len(x))
    points.__dict__["accuracy"] = accuracy  # instead of so many records
    return points


def test_few_are_all_drawn() -> None:
    few = [many(300), many(100)]
    assert [list(found) for found in drawn(few, 400)] == [list(range(300)), list(range(100))]
    assert thinned_sentence(few, 400) is None


def test_of_too_many_the_front_the_newest_and_the_best_are_drawn() -> None:
    cloud = many(50_000)
    [found] = drawn([cloud], 2_000)
    assert len(found) == 2_000
    kept = set(found)
    assert set(cloud.front) <= kept
    assert set(range(49_900, 50_000)) <= kept
    assert set(np.argsort(cloud.accuracy)[-100:]) <= kept


def test_the_same_are_drawn_each_time_and_in_order() -> None:
    one, other = drawn([many(9_000)], 500)[0], drawn([many(9_000)], 500)[0]
    assert np.array_equal(one, other)
    assert np.all(np.diff(one) > 0)


def test_the_cloud_keeps_its_shape() -> None:
    cloud = many(50_000)
    [found] = drawn([cloud], 5_000)
    quartiles = [0.25, 0.5, 0.75]
    of_all = np.quantile(np.log10(cloud.x), quartiles)
    assert np.allclose(np.quantile(np.log10(cloud.x[found]), quartiles), of_all, atol=0.1)


def test_series_are_thinned_in_proportion_and_a_front_is_never_cut() -> None:
    large, small = drawn([many(9_000), many(1_000, seed=1)], 1_000)
    assert (len(large), len(small)) == (900, 100)
    stair = placed(np.arange(1.0, 51), np.arange(50) / 50)
    assert len(drawn([stair, many(9_950)], 1_000)[0]) == 50


def test_the_caption_says_what_is_left_out() -> None:
    said = thinned_sentence([many(100_000)])
    assert said
    assert said.startswith("20,000 of 100,000 configurations are drawn: all of the fronts")


def test_a_figure_of_a_hundred_thousand_trials_draws_what_a_browser_bears() -> None:
    trials = [at(2 * n, 0.5, n) for n in (10, 20)]
    size = MOST_DRAWN // 2 + 1
    points = points_of(trials * size, FLOPS)
    figure = front_figure([Series(name="Mixer", color="#0072B2", points=points)])
    assert len(points.trials) > MOST_DRAWN
    assert len(figure.data[0].x) == MOST_DRAWN


def test_of_a_sample_none_is_drawn_twice_and_few_are_all_in_it() -> None:
    assert sampled(3, 3).tolist() == [0, 1, 2]
    found = sampled(1_000, 100)
    assert len(set(found.tolist())) == 100
    assert np.all(np.diff(found) > 0)
    assert np.array_equal(found, sampled(1_000, 100))
