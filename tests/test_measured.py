"""How courses are measured, compared, and held against the targets."""

from __future__ import annotations

import itertools
import json
import math
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from course import Course, Point  # noqa: E402
from estimates import band, ratio  # noqa: E402
from find_table import find_table  # noqa: E402
from learning_curves import TableError  # noqa: E402
from measured import Measured, RungEffect, rung_effect  # noqa: E402
from methods import METHODS, PEER_TRIALS  # noqa: E402
from peers import fingerprint, read_peers, record, starts  # noqa: E402
from search_cost_report import report  # noqa: E402
from targets import targets  # noqa: E402


def test_the_share_above_the_median_is_that_of_the_area_counted_on_a_grid() -> None:
    table = find_table("digits")
    done = METHODS["random"].replay(table, seed=2, num_trials=25)
    found = [t.config for t in done.trials]
    floor = float(np.median([np.mean([t.accuracies[-1] for t in ts]) for ts in _trainings(table)]))
    grid = np.linspace(5, np.log10(table.flops_ceiling), 40_001)

    def area(configs: list) -> float:
        """Of the best accuracy at every cost, above the floor."""
        best = np.full(len(grid), floor)
        for config in configs:
            dearer = grid >= np.log10(table.flops[config])
            best[dearer] = np.maximum(best[dearer], table.worth(config))
        return float(np.trapezoid(best - floor, grid))

    assert table.median_accuracy == pytest.approx(floor)
    assert done.points[-1].above_median == pytest.approx(
        area(found) / area(list(table.members)), abs=2e-3
    )


def _trainings(table) -> list:
    return list(table.trainings.values())


def course(*points: tuple[int, float, float, float]) -> Course:
    """Trials, training FLOPs, and both shares; as many seconds as trials."""
    return Course([Point(n, flops, float(n), median, low) for n, flops, median, low in points])


def test_what_was_spent_is_read_where_a_share_is_first_reached() -> None:
    done = course((1, 10.0, 0.2, 0.5), (2, 30.0, 0.9, 0.9), (3, 60.0, 0.9, 0.99))
    assert done.spent_to(0.9) == 30
    assert done.spent_to(0.9, "trials") == 2
    assert done.spent_to(0.95) == math.inf
    assert done.spent_to(0.95, "seconds", "guessing") == 3
    assert [done.share_after(n) for n in (0, 1, 2, 50)] == [0, 0.2, 0.9, 0.9]


def test_a_thinned_course_says_the_same_and_survives_json() -> None:
    whole = METHODS["random"].replay(find_table("digits"), seed=0, num_trials=40)
    thin = Course.from_rows(whole.thinned().as_rows())
    assert len(thin.points) < len(whole.points)
    for share, floor in itertools.product((0.3, 0.5, 0.7, 0.99), ("median", "guessing")):
        assert thin.spent_to(share, floor=floor) == whole.spent_to(share, floor=floor)
    assert thin.points[-1].training_flops == whole.points[-1].training_flops


def test_a_bootstrap_interval_holds_the_median_in_nineteen_of_twenty_draws() -> None:
    rng = np.random.default_rng(0)
    held = []
    for _ in range(100):
        found = band(list(rng.lognormal(size=20))).median
        held.append(found.low <= 1.0 <= found.high)
    assert 0.88 <= np.mean(held) <= 1.0


def test_a_ratio_says_which_of_two_never_gets_there() -> None:
    some, never = [1.0, 2.0, 3.0], [math.inf] * 3
    assert ratio(some, [2.0] * 3).value == 1.0
    assert ratio(never, some).value == math.inf
    assert ratio(some, never).value == 0
    assert math.isnan(ratio(never, never).value)
    mixed = ratio([1.0, 2.0, math.inf], some)
    assert (mixed.value, mixed.high) == (1.0, math.inf)


def measured(name: str, **flops: float) -> Measured:
    """Three equal repeats a method: to 95 % with that compute, and as many trials."""
    names = {"ours": "ours", "tpe": "TPE, our starts", "nsga": "NSGA-II", "random": "random"}
    about = {"members": 5, "flops_ceiling": 100, "median_accuracy": 0.5}
    courses = {
        names[key]: 3 * [course((1, 1.0, 0.1, 0.1), (int(spent), spent, 0.96, 0.97))]
        for key, spent in flops.items()
    }
    return Measured(name, about, courses)


def test_every_target_is_worked_out_from_what_was_measured() -> None:
    large = measured("large", ours=40, random=80, nsga=20)
    large.rungs = 3 * [RungEffect(0.9, 0.9, 0.3, 4, 0)]
    large.workers = {1: [[0.1, 0.2, 0.8]], 4: [[0.1, 0.2, 0.76]], 16: [[0.1, 0.2, 0.6]]}
    late = measured("late", ours=10, random=30)
    late.rungs = 3 * [RungEffect(0.94, 0.98, 0.4, 4, 1)]
    tables = {
        "cifar10": measured("cifar10", ours=10, tpe=31, nsga=70),
        "large": large,
        "late": late,
        "digits": measured("digits", ours=100, random=1),
    }
    found = {(row.on, row.what): row for row in targets(tables, {200: 0.05, 2_000: 0.9})}

    def reached(on: str, what: str) -> tuple[bool | None, str]:
        (row,) = [r for (o, w), r in found.items() if o == on and w.startswith(what)]
        return row.reached, row.measured

    assert reached("cifar10", "compute to 95 %: BoTorch") == (None, "not measured")
    assert reached("cifar10", "compute to 95 %: TPE") == (True, "3.1 (3.1 to 3.1)")
    assert reached("cifar10", "compute to 95 %: NSGA-II") == (False, "7 (7 to 7)")
    assert reached("the worst of all tables", "compute") == (
        False,
        "0.5 (0.5 to 0.5) (large: NSGA-II)",
    ), "the table for tuning does not count"
    assert reached("large", "hypervolume") == (
        False,
        "+0.0, -86.0, +0.0 points (without BoTorch, our starts)",
    )
    assert reached("late", "hypervolume after 60")[0] is False
    assert reached("all other tables", "compute that rungs save") == (True, "30 % (large)")
    assert reached("4 workers", "loss") == (True, "5.0 % (large)")
    assert reached("16 workers", "loss") == (False, "25.0 % (large)")
    assert reached("a proposal at 200 trials", "seconds")[0] is True
    assert reached("a proposal at 2,000 trials", "seconds") == (False, "0.90")
    assert reached("a proposal at 10,000 trials", "seconds") == (None, "not measured")


def with_botorch(name: str, ended_at: list[tuple[float, float]], **flops: float) -> Measured:
    """The same with recorded repeats of 60 trials: compute at their ends, and shares there."""
    table = measured(name, **flops)
    table.courses["BoTorch, our starts"] = [
        course((1, 1.0, 0.1, 0.1), (60, flops, share, share)) for flops, share in ended_at
    ]
    return table


def test_a_recorded_study_that_ended_early_needs_at_least_what_it_had_spent() -> None:
    some = with_botorch("noisy", [(20, 0.5), (40, 0.96), (60, 0.6)], ours=10, random=50)
    found = some.against_ours("BoTorch, our starts", 0.95, "training_flops")
    assert (found.value, found.is_least) == (4, True)
    exact = with_botorch("noisy", [(20, 0.96), (40, 0.96), (60, 0.6)], ours=10, random=50)
    found = exact.against_ours("BoTorch, our starts", 0.95, "training_flops")
    assert (found.value, found.is_least) == (4, False), "whenever the last gets there, it is last"
    assert not some.against_ours("random", 0.95, "training_flops").is_least
    never = with_botorch("noisy", [(20, 0.5)], random=50)
    never.courses["ours"] = [course((150, 30, 0.9, 0.9))]
    found = never.against_ours("BoTorch, our starts", 0.95, "training_flops")
    assert math.isnan(found.value), "neither gets there, although one went on for longer"


def test_a_recorded_baseline_that_ended_early_is_neither_the_best_nor_beaten() -> None:
    tables = {
        "cifar10": with_botorch("cifar10", 3 * [(11, 0.5)], ours=10, random=20),
        "large": with_botorch("large", 3 * [(30, 0.5)], ours=10, random=20),
    }
    rows = {(row.on, row.what): row for row in targets(tables, {})}
    botorch = rows["cifar10", "compute to 95 %: BoTorch, our starts / ours"]
    short = "BoTorch, our starts not within 60 trials in 3 of 3 repeats"
    assert botorch.measured == f"at least 1.1 (1.1 to 1.1) ({short})"
    assert botorch.reached is None, "1.1 is less than what is asked, but it may be more"
    worst = rows["the worst of all tables", "compute to 95 %: best baseline / ours"]
    assert worst.measured == f"2 (2 to 2) (cifar10: random; {short} on cifar10, at least 1.1)"
    assert worst.reached, "1.1 would be enough too"
    tables["large"] = with_botorch("large", 3 * [(8, 0.5)], ours=10, random=20)
    rows = {(row.on, row.what): row for row in targets(tables, {})}
    assert rows["the worst of all tables", worst.what].reached is None, "0.8 would not"
    said = report(tables, [], {})
    assert "| large | 1e-11 | random | 2e-11 | 2.00 (2.00 to 2.00) |" in said
    assert f"- large: {short}; at least 0.80 (0.80 to 0.80) times ours." in said
    assert "| BoTorch, our starts | not in 60 | not in 60 | not in 60 |" in said


def test_a_table_that_is_known_to_be_missed_decides_whatever_others_are_open() -> None:
    short = with_botorch("noisy", 3 * [(2, 0.5)], ours=10)
    short.courses["random"] = [course((150, 90, 0.9, 0.9))]
    tables = {"noisy": short, "large": measured("large", ours=10, random=8)}
    (row,) = [r for r in targets(tables, {}) if r.on == "the worst of all tables"]
    said = "BoTorch, our starts not within 60 trials in 3 of 3 repeats on noisy, at least 0.2"
    assert row.measured == f"0.8 (0.8 to 0.8) (large: random; {said})"
    assert row.reached is False


def test_where_only_ours_gets_there_a_recorded_baseline_may_still() -> None:
    table = with_botorch("large", 3 * [(30, 0.5)], ours=10)
    table.courses["random"] = [course((150, 90, 0.9, 0.9))]
    (row,) = [r for r in targets({"large": table}, {}) if r.on == "the worst of all tables"]
    assert row.measured.startswith("at least 3 (3 to 3) (large: BoTorch, our starts not within")


def test_a_target_that_no_search_gets_to_is_missed_and_not_unmeasured() -> None:
    table = measured("many", ours=10, random=20)
    table.courses = {name: [course((150, 90, 0.8, 0.8))] for name in table.courses}
    (row,) = [row for row in targets({"many": table}, {}) if row.on == "many"]
    assert (row.measured, row.reached) == ("neither gets there on many", False)


def test_the_worst_table_comes_first() -> None:
    tables = {
        "late": measured("late", ours=10, random=30),
        "large": measured("large", ours=40, random=20),
    }
    said = report(tables, targets(tables, {}), {})
    assert said.index("| large | 4e-11") < said.index("| late | 1e-11")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({}, None),
        ({"table": {"members": 3}}, "another table large; remove it and repeat"),
        ({"starts": ["Mixer p8"]}, "began with our starts as they were; remove it"),
        ({"trials": 40}, "holds studies of 40 trials, not of 60; remove it"),
    ],
)
def test_recorded_courses_are_of_this_table_and_as_long(
    tmp_path: Path, change: dict[str, object], sentence: str | None
) -> None:
    table = find_table("large")
    done = METHODS["random"].replay(table, seed=0, num_trials=5)
    courses = {"BoTorch, our starts": {"0": done.thinned().as_rows()}}
    kept = {"table": fingerprint(table), "starts": starts(table), "trials": PEER_TRIALS}
    kept |= {"courses": courses} | change
    (tmp_path / "large.json").write_text(json.dumps(kept))
    if sentence:
        with pytest.raises(TableError, match=sentence):
            read_peers("large", table, tmp_path)
        return
    (found,) = read_peers("large", table, tmp_path)["BoTorch, our starts"]
    assert found.spent_to(0.1) == done.spent_to(0.1)
    assert read_peers("late", find_table("late"), tmp_path) == {}


def test_what_is_recorded_is_added_to_and_keeps_every_receipt(tmp_path: Path) -> None:
    def record_until(seed: int, revision: str) -> dict[str, list[Course]]:
        with ThreadPoolExecutor(1) as pool:
            seeds = range(seed + 1)
            record(pool, "large", ["random"], seeds, folder=tmp_path, revision=revision)
        return read_peers("large", find_table("large"), tmp_path)

    (first,) = record_until(0, "a")["random"]
    kept, second = record_until(1, "b")["random"]
    assert kept == first
    assert second != first
    assert [course.points[-1].trials for course in (first, second)] == 2 * [PEER_TRIALS]
    receipts = json.loads((tmp_path / "large.json").read_text())["recorded"]
    assert [receipt["revision"] for receipt in receipts] == ["a", "b"]


@pytest.mark.slow
def test_the_effect_of_rungs_is_that_of_a_study_with_them_and_one_without() -> None:
    effect = rung_effect("digits", seed=1006)
    assert 0 < effect.share <= 1
    assert 0 < effect.share_without <= 1
    assert 0 < effect.saved < 1
    assert effect.stopped >= effect.stopped_on_front
