"""Studies side by side: which can be compared, in what they differ, what they reached."""

from __future__ import annotations

from dataclasses import replace

import pytest
from records import at, study, trial

from runs import pareto
from runs.compare_studies import (
    common_reference,
    comparable,
    histories,
    only_what_differs,
    reached_table,
    within_budgets_table,
)
from runs.snapshot import Snapshot
from space.costs import FLOPS

TRIALS = [at(1_000_000, 0.5, 0), at(10_000_000, 0.75, 1)]
ONE = Snapshot(study("one"), TRIALS)


def other(**changes: object) -> Snapshot:
    return Snapshot(replace(study("other"), **changes), TRIALS)  # type: ignore[arg-type]


def asking(**changes: object) -> Snapshot:
    return other(spec=ONE.study.spec | changes)


def test_studies_of_the_same_images_and_cost_are_compared_without_a_word() -> None:
    found = comparable({"one": ONE, "other": other()})
    assert list(found.kept) == ["one", "other"]
    assert found.left_out == found.remarks == found.other_costs == {}


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (asking(dataset="cifar100"), "its data set is cifar100, not cifar10"),
        (other(num_classes=100), "it has 100 classes, not 10"),
        (
            asking(start_from={"preset": "mixer_b16"}),
            "it fine-tunes a preset and searches nothing",
        ),
    ],
)
def test_accuracies_on_another_task_are_left_out_and_it_is_said_why(
    second: Snapshot, reason: str
) -> None:
    found = comparable({"one": ONE, "other": second})
    assert found.left_out == {"other": reason}
    assert list(found.kept) == ["one"]


def test_other_images_of_the_data_set_are_compared_with_a_remark() -> None:
    found = comparable({"one": ONE, "other": other(data_digest="1" * 64)})
    assert list(found.kept) == ["one", "other"]
    assert found.remarks == {"other": "trained or validated on other images of the same data set"}


def test_areas_over_different_costs_are_not_compared() -> None:
    found = comparable({"one": ONE, "other": asking(cost="params")})
    assert list(found.kept) == ["one", "other"]
    assert found.other_costs == {"other": "it minimises Parameters, not FLOPs"}


def test_hypervolumes_are_measured_to_the_highest_ceiling_of_all() -> None:
    higher = other(flops_ceiling=8_000_000_000)
    reference = common_reference([ONE.study, higher.study])
    assert reference == pareto.Reference(accuracy=0.1, cost=8_000_000_000)
    found = histories({"one": ONE, "other": higher, "empty": Snapshot(study("empty"), [])})
    assert list(found) == ["one", "other"]
    assert found["one"].hypervolume == pytest.approx(found["other"].hypervolume)
    # One decade more, over all of which the front is 0.75 - 0.1 above guessing
    assert found["one"].hypervolume[-1] - ONE.history.hypervolume[-1] == pytest.approx(0.65)
    assert histories({}) == {}


def test_only_what_differs_is_in_the_table_of_specifications() -> None:
    first = {"dataset": "cifar10", "recipe": {"epochs": 8, "ema": 0.0}, "seed": 0, "max": None}
    second = {"dataset": "cifar10", "recipe": {"epochs": 12, "ema": 0.0}, "rungs": [1, 3]}
    table = only_what_differs({"one": first, "other": second})
    assert table.to_dict("list") == {
        "Entry": ["recipe.epochs", "seed", "rungs"],
        "one": ["8", "0", "–"],
        "other": ["12", "–", "1, 3"],
    }
    assert only_what_differs({"one": first, "other": first}).empty


def test_names_of_studies_for_learning_rates_are_no_difference() -> None:
    specs = {
        name: {"rate_studies": [f"{name}.rate"], "first_name": name} for name in ("one", "other")
    }
    assert only_what_differs(specs).empty


def test_a_study_without_results_has_dashes() -> None:
    table = reached_table({"one": ONE, "empty": Snapshot(study("empty"), [])})
    assert table["Best accuracy"].tolist() == ["75.00 %", "–"]
    assert table["On the front"].tolist() == [2, 0]


def test_each_study_is_stood_for_by_the_best_it_has_within_a_budget() -> None:
    cheap = Snapshot(study("cheap"), [at(800_000, 0.6, 0)])
    table = within_budgets_table({"one": ONE, "cheap": cheap}, FLOPS)
    assert table.to_dict("list") == {
        "At most": ["1.00 M FLOPs", "2.00 M FLOPs", "5.00 M FLOPs"],
        "one": ["50.00 %"] * 3,
        "cheap": ["60.00 %"] * 3,
    }
    assert within_budgets_table({"empty": Snapshot(study(), [])}, FLOPS).empty
    assert within_budgets_table({"one": Snapshot(study(), [trial()])}, FLOPS).shape == (1, 2)
