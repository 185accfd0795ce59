"""What exempt trials stand for, and what a study leaves open about them."""

from __future__ import annotations

import random
from statistics import fmean

import pytest

from runs.rungs import first_exempt, stands_for
from search.spec.rungs import RungSpec


@pytest.mark.parametrize("stopped", [0, 1, 20])
@pytest.mark.parametrize("exempt", [1, 4, 6, 7, 12])
@pytest.mark.parametrize("first", [0, 4])
def test_the_exempt_stand_for_all_that_were_to_be_stopped(
    exempt: int, stopped: int, first: int
) -> None:
    shares = stands_for(exempt, stopped, first)
    assert sum(shares) == pytest.approx(exempt + stopped)
    assert min(shares) >= 1
    assert stands_for(0, stopped, first) == []


def test_weighted_exempt_trials_give_the_mean_of_all_though_the_first_are_others() -> None:
    """The first four have 1, the 60 others 0: 4 of 64 in all, whoever the lot exempts."""
    rng = random.Random(0)
    means = []
    for _ in range(300):
        by_lot = max(3, sum(rng.random() < 0.15 for _ in range(60)))
        weights = stands_for(4 + by_lot, 60 - by_lot, 4)
        values = [1.0] * 4 + [0.0] * by_lot
        total = sum(w * v for w, v in zip(weights, values, strict=True))
        means.append(total / sum(weights))
    assert fmean(means) == pytest.approx(4 / 64)


def test_what_is_left_open_is_as_the_study_began() -> None:
    new = RungSpec().settled()
    assert (new.exempt, new.spared) == ("weighted", 0.15)
    before = RungSpec(exempt="unweighted", spared=0.05)
    assert RungSpec().settled(before) == before
    assert RungSpec(exempt="unweighted").settled().spared == 0.05
    asked = RungSpec(exempt="weighted", spared=0.3)
    assert asked.settled(before) == asked


def test_studies_from_before_exempt_none_without_a_lot() -> None:
    now = {"rungs": RungSpec().settled().model_dump(mode="json")}
    assert first_exempt(now) == 4
    for rungs in ({"spared": 0.05}, now["rungs"] | {"spared": 0.0}, None):
        assert first_exempt({"rungs": rungs}) == 0
