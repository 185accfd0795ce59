"""`benchmarks/transfer.py`: the table in the documentation is that of the trainings kept."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from transfer_gains import CHOOSING, gains_of, read, table, write  # noqa: E402

KEPT = ROOT / "benchmarks" / "results" / "2026-11-27-two-cores-transfer.csv"


def test_the_gains_in_the_documentation_are_those_of_the_trainings_that_were_kept() -> None:
    told = (ROOT / "docs" / "finetune.md").read_text()
    gains = gains_of(read(KEPT))
    assert [gain.images_per_class for gain in gains] == [20, 100, 500]
    for gain in gains:
        means = " | ".join(f"{100 * mean:.1f} %" for mean in gain.means.values())
        ends = [100 * (gain.mean + sign * gain.half_width) for sign in (-1, 1)]
        row = f"| {gain.images_per_class} | {means} | {100 * gain.mean:+.1f} ({ends[0]:.1f} to"
        assert row in told
        assert row.partition("(")[0] in table(gains)


def test_a_rate_is_chosen_by_the_seeds_and_images_that_choose(tmp_path: Path) -> None:
    trainings = read(KEPT)
    spoilt = [
        replace(one, accuracy=0.0) if one.seed < CHOOSING else replace(one, choosing_accuracy=1.0)
        for one in trainings
    ]
    assert [gain.rates for gain in gains_of(spoilt)] == [gain.rates for gain in gains_of(trainings)]
    write(trainings, tmp_path / "again.csv")
    assert read(tmp_path / "again.csv") == trainings
