"""What `search_cost.py` draws, refuses, and makes of a tiny table."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import search_cost  # noqa: E402
import search_cost_figure  # noqa: E402
from course import Course, Point  # noqa: E402
from learning_curves import read_table, write_table  # noqa: E402
from methods import METHODS  # noqa: E402
from search_cost_figure import LINES, quartiles  # noqa: E402


def ended(*points: tuple[float, float]) -> Course:
    """A study with these training FLOPs and shares."""
    return Course(
        [Point(i + 1, flops, flops, share, share) for i, (flops, share) in enumerate(points)]
    )


def test_a_curve_ends_where_half_of_the_studies_have_ended() -> None:
    done = [ended((1e10, 0.5), (last, 0.985)) for last in (2e10, 3e10, 4e10, 1e13)]
    flops, (low, middle, high) = quartiles(done)
    assert flops[0] == 1e10
    assert flops[-1] == 4e10
    assert middle[0] == 0.5
    assert np.isfinite([low, middle, high]).all()


def test_a_study_that_reached_the_target_is_at_the_target() -> None:
    done = [ended((1e10, 0.5), (3e10, last)) for last in (0.981, 1.0)]
    _, (low, middle, high) = quartiles(done)
    assert low[-1] == middle[-1] == high[-1] == 0.98


def test_a_search_that_never_gets_there_is_drawn_as_far_as_it_went() -> None:
    done = [ended((1e10, 0.2), (last, 0.5)) for last in (2e10, 3e10)]
    flops, (_, middle, _) = quartiles(done)
    assert flops[-1] == 3e10
    assert middle[-1] == 0.5


def test_no_two_methods_are_drawn_alike() -> None:
    assert LINES.keys() <= METHODS.keys()
    assert len({line["color"] for line in LINES.values()}) == len(LINES)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--tables", "digts"], "error: table digts: there is no "),
        (["--methods", "our"], "error: method 'our' is unknown; name some of these"),
    ],
)
def test_what_there_is_not_is_refused_in_a_sentence(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert search_cost.main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith(sentence)
    assert error.count("\n") == 1


def test_a_table_that_is_not_whole_is_refused_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    curves = read_table("digits")
    some = curves.rows["hidden_dim"] < 64
    path = tmp_path / "some.parquet"
    write_table(type(curves)(curves.rows[some], curves.about), path)
    assert search_cost.main(["--tables", str(path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: a table with ")
    assert error.count("\n") == 1


def test_figures_that_cannot_be_drawn_are_refused_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_cost_figure, "CHROMIUM", None)
    assert search_cost.main(["--figures", str(tmp_path / "figures")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: --figures: they are drawn with Chromium, which is not ")
    assert error.count("\n") == 1


@pytest.mark.slow
def test_a_tiny_table_is_measured_from_the_command_to_the_receipt(tmp_path: Path) -> None:
    curves = read_table("digits")
    few = curves.rows[(curves.rows["hidden_dim"] <= 48) & (curves.rows["num_blocks"] <= 2)]
    study = curves.about["study"]
    ranges = {
        name: sorted(map(int, few[name].unique()))
        for name in ("patch_size", "hidden_dim", "tokens_mlp_dim", "channels_mlp_dim", "num_blocks")
    }
    study = study | {"name": "tiny", "space": {"mixer": ranges}}
    write_table(type(curves)(few, curves.about | {"study": study}), tmp_path / "tiny.parquet")
    command = [sys.executable, str(BENCHMARKS / "search_cost.py"), "--repeats", "1"]
    command += ["--tables", str(tmp_path / "tiny.parquet"), "--json", str(tmp_path / "f.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "## Ours against the best baseline" in done.stdout
    assert "| a warm start from another table |" in done.stdout
    (table,) = json.loads((tmp_path / "f.json").read_text())["tables"].values()
    assert table["spent"].keys() == {n for n, m in METHODS.items() if not m.is_recorded}
    spent = table["spent"]["cheapest first"]["guessing"]["training_flops"]
    assert 0 < spent["0.9"][0] <= spent["0.95"][0]
