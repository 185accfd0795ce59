"""How far the accuracies of a search can be trusted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from records import at, mixer, running, seeds, study, trial, vit
from scipy.stats import binom, binomtest

from runs.noise import Noise, noise_of, num_validation, places_sentence, undecided, wilson
from runs.record import Origin, State
from runs.seeds import over_seeds
from space.costs import FLOPS

IMAGES = study(spec={"num_validation": 400})


@pytest.mark.parametrize(("right", "n"), [(0, 10), (5, 10), (131, 144), (144, 144), (4_560, 5_000)])
@pytest.mark.parametrize("level", [0.95, 0.99])
def test_the_interval_of_a_share_is_wilsons_as_scipy_has_it(
    right: int, n: int, level: float
) -> None:
    found = binomtest(right, n).proportion_ci(level, method="wilson")
    low, high = wilson(np.array([right / n]), n, level)
    assert (low[0], high[0]) == pytest.approx((found.low, found.high), abs=1e-12)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9, 0.97])
def test_the_interval_holds_the_truth_as_often_as_it_says(p: float) -> None:
    right = np.arange(401)
    low, high = wilson(right / 400, 400)
    covered = binom.pmf(right, 400, p)[(low <= p) & (p <= high)].sum()
    assert 0.93 <= covered <= 0.97


def test_without_repeated_seeds_an_interval_is_of_the_images_only() -> None:
    noise = noise_of(IMAGES, [trial(0, accuracy=0.9), trial(1, accuracy=0.8)])
    assert (noise.covers, noise.pooled) == ("images only", None)
    assert noise.interval(trial(0, accuracy=0.9)) == noise.of_training(0.9)
    assert noise.half_width(trial(0, accuracy=0.9)) == pytest.approx(0.0333, abs=1e-4)
    assert noise.half_width(running(0)) is None


def test_repeated_seeds_add_their_scatter() -> None:
    """Two configurations: the pooled one, with four degrees of freedom."""
    trials = [
        *seeds(0, 0.88, 0.90, 0.92),
        *seeds(3, 0.76, 0.80, 0.84),
        trial(6, accuracy=0.9),
    ]
    noise = noise_of(IMAGES, trials)
    assert noise.pooled is not None
    assert noise.pooled.deviation == pytest.approx(np.sqrt((0.02**2 + 0.04**2) / 2), rel=1e-3)
    assert (noise.num_repeated, noise.pooled.degrees_of_freedom) == (2, 4)
    assert noise.covers == "images and seeds"
    mean, single = over_seeds(trials)[0], trials[-1]
    assert (noise.seeds_behind(mean), noise.seeds_behind(single)) == (3, 1)
    image_arm = 0.9 - wilson(np.array([0.9]), 400)[0][0]
    own = 4.303 * 0.02 / np.sqrt(3)  # Student's t with two degrees of freedom
    assert noise.half_width(mean) == pytest.approx(np.hypot(image_arm, own), rel=1e-3)
    pooled = 2.776 * noise.pooled.deviation  # with four
    assert noise.half_width(single) == pytest.approx(np.hypot(image_arm, pooled), rel=1e-3)


def test_confirmations_and_other_trainings_do_not_repeat_each_other() -> None:
    """The search's accuracy was chosen for being high: it is no seed among fresh ones."""
    config = mixer(hidden_dim=40)
    searched = trial(0, config=config, accuracy=0.95)
    given = seeds(1, 0.8, 0.82, config=config, origin=Origin.BASELINE)
    noise = noise_of(IMAGES, [searched, *given])
    assert noise.pooled is not None
    assert noise.pooled.degrees_of_freedom == 1
    assert noise.pooled.deviation == pytest.approx(0.02 / np.sqrt(2), rel=1e-2)
    unfinished = [searched, given[0], replace(given[1], state=State.FAILED)]
    assert noise_of(IMAGES, unfinished).pooled is None


def test_many_repeated_configurations_scatter_each_as_its_accuracy_has_it() -> None:
    """Weak networks scatter more: one constant would be too narrow for them."""
    rng = np.random.default_rng(0)
    trials = []
    for i in range(20):
        p = 0.60 if i % 2 else 0.97
        deviation = 0.05 if i % 2 else 0.005
        some = np.clip(rng.normal(p, deviation, 3), 0, 1)
        trials += seeds(3 * i, *map(float, some), config=mixer(hidden_dim=8 + 4 * i))
    noise = noise_of(IMAGES, trials)
    weak = np.median([noise.of_config[t.config].deviation for t in trials if t.accuracy < 0.8])
    good = np.median([noise.of_config[t.config].deviation for t in trials if t.accuracy > 0.8])
    assert noise.pooled is not None
    assert good < noise.pooled.deviation / 3
    assert weak > noise.pooled.deviation


@pytest.mark.parametrize("n", [144, 5_000, 26_032])
def test_of_an_older_study_the_number_of_images_is_read_off_its_accuracies(n: int) -> None:
    right = np.random.default_rng(n).integers(n // 2, n, 12)
    trials = [trial(i, accuracy=float(np.float32(r / n))) for i, r in enumerate(right)]
    assert num_validation(study(spec={}), trials) == n
    assert num_validation(study(spec={}), trials[:3]) is None, "too few to tell"
    assert num_validation(study(spec={"num_validation": 7}), trials) == 7


def test_accuracies_that_were_not_counted_on_images_have_no_interval() -> None:
    trials = [trial(i, accuracy=0.5 + 0.1 / np.sqrt(2 + i)) for i in range(8)]
    noise = noise_of(study(spec={}), trials)
    assert noise.num_images is None
    assert noise.interval(trials[0]) is None
    assert noise.difference(trials[0], trials[1]) is None
    assert undecided(trials, trials, noise, FLOPS) is None


def test_a_member_is_undecided_where_its_interval_reaches_the_best_of_no_higher_cost() -> None:
    cheapest, sure, close = (
        at(1_000_000, 0.60, 0),
        at(2_000_000, 0.80, 1),
        at(4_000_000, 0.82, 2),
    )
    behind = at(3_000_000, 0.79, 3)
    noise = Noise(num_images=400)
    found = [cheapest, sure, close, behind]
    assert undecided([cheapest, sure, close], found, noise, FLOPS) == [close]
    rival = at(2_000_000, 0.79, 4)  # as dear, and nearly as good
    assert undecided([cheapest, sure, close], [*found, rival], noise, FLOPS) == [sure, close]
    tie = at(1_000_000, 0.60, 5)
    assert cheapest in (undecided([cheapest], [*found, tie], noise, FLOPS) or [])


def test_a_difference_has_the_noise_of_both_sides() -> None:
    """Newcombe 1998, table II, example (a): 56/70 against 48/80, method 10."""
    one, other = trial(0, accuracy=56 / 70), trial(1, accuracy=48 / 80, config=vit())
    noise = Noise(num_images=70)
    a, b = noise.interval(one), Noise(num_images=80).interval(other)
    assert a is not None
    assert b is not None
    low = 0.2 - np.hypot(a.value - a.low, b.high - b.value)
    high = 0.2 + np.hypot(a.high - a.value, b.value - b.low)
    assert (low, high) == pytest.approx((0.0524, 0.3339), abs=1e-4)
    found, same = noise.difference(one, other), Noise(num_images=70).interval(other)
    assert found is not None
    assert same is not None
    assert found.low == pytest.approx(0.2 - np.hypot(a.value - a.low, same.high - same.value))
    assert found.excludes_zero


def test_the_sentence_counts_members_and_says_what_the_bars_are_of() -> None:
    assert places_sentence(5, 2, Noise(num_images=5_000)) == (
        "2 of 5 members of the front could change places; ± is a 95 % interval, of the 5,000 "
        "validation images only, until seeds are repeated"
    )
    noise = noise_of(IMAGES, seeds(0, 0.88, 0.90, 0.92))
    assert places_sentence(1, 0, noise).endswith(
        "of the 400 validation images and of the seeds, which scatter by 2.0 points (pooled over "
        "1 configuration)"
    )
