"""The sentences of a comparison."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from runs.confirmation.errors import ConfirmationError
from runs.confirmation.families import FamilyDifference
from runs.confirmation.intervals import Interval
from runs.confirmation.sentence import budgets, sentence, sentences

LABELS = {"mixer": "Mixer", "vit": "ViT"}
BETTER, WORSE, UNKNOWN = (0.012, 0.006, 0.018), (-0.021, -0.04, -0.004), (-0.002, -0.009, 0.005)


def written(cost: float) -> str:
    return f"{cost / 1e6:g} MFLOPs"


def difference(*steps: tuple[float, float, float]) -> FamilyDifference:
    value, low, high = np.array(steps).T
    return FamilyDifference(
        families=("mixer", "vit"),
        starts=np.array([2e6, 10e6, 40e6])[: len(steps)],
        ceiling=100e6,
        chosen=np.array([[0, 3], [1, 3], [1, 4]])[: len(steps)],
        num_seeds=np.array([[5, 5], [5, 5], [3, 8]])[: len(steps)],
        value=value,
        low=low,
        high=high,
        hypervolume=Interval(value=0.0, low=-1.0, high=1.0),
    )


def test_who_is_better_is_said_where_the_band_leaves_out_zero() -> None:
    found = difference(UNKNOWN, BETTER, WORSE)
    assert sentence(found, 20e6, written, LABELS, 1) == (
        "At 20 MFLOPs Mixer is +1.2 points (0.6 to 1.8) over ViT; 5 seeds, test read once"
    )
    assert sentence(found, 50e6, written, LABELS, 2) == (
        "At 50 MFLOPs ViT is +2.1 points (0.4 to 4.0) over Mixer; 3 and 8 seeds, test read 2 times"
    )


def test_nobody_is_better_where_the_band_includes_zero() -> None:
    assert sentence(difference(UNKNOWN), 5e6, written, LABELS, None) == (
        "At 5 MFLOPs Mixer and ViT cannot be told apart: Mixer has -0.2 points (-0.9 to 0.5) "
        "against ViT; 5 seeds, on validation, which also chose"
    )


def test_an_end_near_zero_keeps_the_decimal_that_decides() -> None:
    assert "+1.00 points (0.03 to 1.97)" in sentence(
        difference((0.01, 0.0003, 0.0197)), 5e6, written, LABELS, 1
    )


def test_a_budget_where_one_family_has_nothing_is_refused() -> None:
    with pytest.raises(ConfirmationError, match=r"ask for one from 2e\+06 to 1e\+08"):
        sentence(difference(UNKNOWN), 1e6, written, LABELS, 1)


def test_three_budgets_are_round_and_inside() -> None:
    assert budgets(2e6, 100e6) == [5e6, 20e6, 50e6]
    assert budgets(4e5, 2e6) == [5e5, 1e6, 2e6]
    assert budgets(3.1e6, 3.9e6) == [pytest.approx(c, rel=0.02) for c in (3.2e6, 3.5e6, 3.8e6)]
    assert budgets(7.0, 7.0) == [7.0]
    for low, high in [(1.23e6, 1.24e6), (9.9e5, 1.1e6)]:
        found = budgets(low, high)
        assert len(set(found)) == 3
        assert all(low <= budget <= high for budget in found)


def test_each_budget_has_a_sentence() -> None:
    found = sentences(difference(UNKNOWN, BETTER, WORSE), written, LABELS, 1)
    starts = [line.split(" MFLOPs")[0] for line in found]
    assert starts == ["At 5", "At 20", "At 50"]
    assert ["cannot be told apart" in line for line in found] == [True, False, False]


def test_the_seeds_are_those_of_the_step() -> None:
    found = replace(difference(BETTER), num_seeds=np.array([[3, 4]]))
    assert "; 3 and 4 seeds," in sentence(found, 5e6, written, LABELS, 1)
