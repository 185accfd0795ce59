"""`benchmarks/equal_time.py`: what it says of studies it has."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from scipy.stats import ttest_rel

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from equal_time import (  # noqa: E402
    SIDES,
    difference,
    hypervolumes,
    median_accuracy,
    newest,
    report,
)


def study(flops: list[float], accuracies: list[float]) -> dict[str, object]:
    facts = {"guess_accuracy": 0.1, "ceiling": 1000.0, "trials": len(flops)}
    return {"flops": flops, "accuracies": accuracies} | facts


RUNS = [
    {
        "seed": 0,
        "ours": study([10.0, 100.0], [0.6, 0.9]),
        "TPE": study([100.0], [0.8]),
        "random": study([10.0, 100.0, 1000.0], [0.2, 0.4, 0.9]),
    },
    {
        "seed": 1,
        "ours": study([10.0], [0.7]),
        "TPE": study([100.0], [0.9]),
        "random": study([10.0, 100.0], [0.3, 0.6]),
    },
]


def test_the_floor_is_the_median_of_all_random_networks() -> None:
    assert median_accuracy(RUNS) == 0.4


def test_hypervolume_counts_decades_below_the_ceiling_above_the_floor() -> None:
    assert hypervolumes(RUNS, "ours", 0.4) == pytest.approx([0.2 + 0.5, 2 * 0.3])
    assert hypervolumes(RUNS, "random", 0.4) == pytest.approx([0.0, 0.2])


def test_the_interval_is_that_of_a_paired_t_test() -> None:
    ours, others = [0.9, 0.7, 0.8, 0.75], [0.5, 0.72, 0.6, 0.4]
    expected = ttest_rel(ours, others).confidence_interval(0.95)
    found = difference(ours, others)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.mean == pytest.approx(0.2325)


def test_the_newest_file_is_what_the_targets_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("equal_time.RESULTS", tmp_path)
    assert newest() is None
    for day, runs in (("2026-01-01", RUNS[::-1]), ("2026-01-02", RUNS)):
        (tmp_path / f"{day}-x-equal-time.json").write_text(json.dumps({"runs": runs}))
    found = newest()
    assert found is not None
    assert found[0] == "2026-01-02-x-equal-time.json"
    assert found[1].mean == pytest.approx(((0.7 - 0.4) + (0.6 - 0.5)) / 2)


def test_the_report_has_every_seed_and_side() -> None:
    said = report({"command": "c", "date": "d", "revision": "r", "runs": RUNS})
    assert said.count("| 0 |") == said.count("| 1 |") == 2
    assert all(f"ours - {side}: " in said for side in [*SIDES][1:])
