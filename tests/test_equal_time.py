"""`benchmarks/equal_time.py`: what it says of studies it has."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import pytest
from scipy.stats import ttest_rel

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from equal_time import (  # noqa: E402
    SIDES,
    _receipt,
    difference,
    hypervolumes,
    main,
    median_accuracy,
    newest,
    report,
)

from search.train.machine import num_cores  # noqa: E402


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


@pytest.mark.parametrize("what", ["command", "revision"])
def test_a_file_of_another_command_or_revision_is_not_added_to(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, given = tmp_path / "f.json", ["--seeds", "0", "--json", str(tmp_path / "f.json")]
    args = argparse.Namespace(study="mixer_digits", seeds=0, seconds=60, workers=num_cores())
    kept = _receipt(args) | {"runs": RUNS}
    file.write_text(json.dumps(kept))
    assert main(given) == 0, "the same command goes on, here with nothing"
    file.write_text(json.dumps(kept | {what: "another"}))
    before = file.read_bytes()
    assert main(given) == 2
    said = capsys.readouterr().err
    assert f"it holds runs of the {what} another, not of {kept[what]}; name another file" in said
    assert file.read_bytes() == before
