"""What is drawn of replayed searches."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from learning_curves import read_table, write_table  # noqa: E402
from search_cost import LINES, METHODS, quartiles  # noqa: E402
from simulator import Point, Replay  # noqa: E402


def ended(*points: tuple[float, float]) -> Replay:
    """A replay with these training FLOPs and shares."""
    return Replay([Point(i + 1, flops, flops, share) for i, (flops, share) in enumerate(points)])


def test_a_curve_ends_where_half_of_the_studies_have_ended() -> None:
    done = [ended((1e10, 0.5), (last, 0.985)) for last in (2e10, 3e10, 4e10, 1e13)]
    flops, (low, middle, high) = quartiles(done)
    assert flops[0] == 1e10
    assert flops[-1] == 4e10
    assert middle[0] == 0.5
    assert np.isfinite([low, middle, high]).all()


def test_whoever_reached_the_target_is_at_the_target() -> None:
    done = [ended((1e10, 0.5), (3e10, last)) for last in (0.981, 1.0)]
    _, (low, middle, high) = quartiles(done)
    assert low[-1] == middle[-1] == high[-1] == 0.98


def test_a_search_that_never_gets_there_is_drawn_as_far_as_it_went() -> None:
    done = [ended((1e10, 0.2), (last, 0.5)) for last in (2e10, 3e10)]
    flops, (_, middle, _) = quartiles(done)
    assert flops[-1] == 3e10
    assert middle[-1] == 0.5


def test_no_two_methods_are_drawn_alike() -> None:
    assert list(LINES) == list(METHODS)
    assert len({line["color"] for line in LINES.values()}) == len(LINES)
    for upper, lower in (("ours", "ours without rungs"), ("random with our rungs", "random")):
        assert LINES[upper]["width"] < LINES[lower]["width"]  # seen on both sides of it
        assert list(LINES).index(upper) > list(LINES).index(lower)


def test_a_table_that_cannot_be_replayed_is_refused_before_anything_runs(tmp_path: Path) -> None:
    curves = read_table("digits")
    some = curves.rows["hidden_dim"] < 64
    write_table(type(curves)(curves.rows[some], curves.about), tmp_path / "some.parquet")
    command = [sys.executable, str(BENCHMARKS / "search_cost.py"), "--table"]
    done = subprocess.run(
        [*command, str(tmp_path / "some.parquet")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: a table with ")
    assert done.stderr.count("\n") == 1
