"""Which of two studies is better: said where the noise allows it, and else that it cannot be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from records import at, study
from test_confirmed import confirm, read_test
from test_confirmed import store as store

from runs.compare_studies import common_reference
from runs.compare_verdict import area_after, confirmed_verdicts, search_verdict
from runs.confirmed import read_confirmed
from runs.record import TrialRecord
from runs.snapshot import Snapshot
from runs.writer import Writer


def searched(*accuracies: float, images: int | None = 10_000) -> Snapshot:
    spec = study().spec | ({} if images is None else {"num_validation": images})
    trials: list[TrialRecord] = [at(1_000_000 * 4**i, a, i) for i, a in enumerate(accuracies)]
    return Snapshot(study(spec=spec), trials)


def test_a_better_front_is_called_so_whichever_comes_first() -> None:
    studies = {"good": searched(0.6, 0.8), "bad": searched(0.4, 0.5)}
    said = search_verdict(studies, "bad", "good")
    assert "training FLOPs each, good is better than bad: +" in said
    assert (
        said.partition("good is")[2]
        == search_verdict(studies, "good", "bad").partition("good is")[2]
    )


def test_what_lies_within_the_noise_is_not_ranked() -> None:
    studies = {"one": searched(0.6, 0.801), "other": searched(0.6, 0.8)}
    assert "one and other cannot be told apart: one has +" in search_verdict(
        studies, "one", "other"
    )


def test_without_intervals_or_results_nothing_is_told() -> None:
    known, empty = searched(0.6, 0.8), Snapshot(study(), [])
    said = search_verdict({"one": known, "empty": empty}, "one", "empty")
    assert said.endswith("empty has found nothing yet.")
    unknown = searched(0.4, 0.5, images=None)
    said = search_verdict({"one": known, "unknown": unknown}, "one", "unknown")
    assert said.endswith("the noise of accuracies is not known.")


def test_searches_are_compared_after_as_many_training_flops() -> None:
    short = searched(0.6)
    whole = searched(0.6, 0.9, 0.95)
    said = search_verdict({"short": short, "whole": whole}, "short", "whole")
    assert "cannot be told apart: short has +0.000" in said  # what whole found later is not counted


def test_the_area_is_the_hypervolume() -> None:
    one = searched(0.6, 0.8)
    area = area_after(one, float("inf"), common_reference([one.study]))
    assert area is not None
    assert area.value == pytest.approx(one.hypervolume)
    assert area.low < area.value < area.high


def test_confirmed_studies_are_compared_by_fresh_seeds(store: Writer) -> None:
    read_test(store, confirm(store))
    found = read_confirmed(store, "digits")
    said = confirmed_verdicts({"a": found, "b": found}, "a", "b")
    assert len(said) == 3
    assert all("a and b cannot be told apart: a has +0.0" in one for one in said)
    worse = replace(found)
    fewer = found.reported
    worse.__dict__["reported"] = replace(fewer, accuracy=fewer.accuracy - 0.3)
    assert all(
        "a is better than b: +30.0" in one
        for one in confirmed_verdicts({"a": found, "b": worse}, "b", "a")
    )
    other = replace(found, study=replace(found.study, spec=found.study.spec | {"cost": "params"}))
    assert confirmed_verdicts({"a": found, "b": other}, "a", "b") == []
