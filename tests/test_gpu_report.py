"""`benchmarks/gpu_report.py`: every part gives its figure, and none takes the others along."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from gpu_plan import lines_of  # noqa: E402

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "benchmarks" / "gpu_report.py"
PARTS = [
    *("ceilings", "ladder", "plain-loop", "this-engine", "study-k1", "study-k2", "accuracy"),
    *("seeds", "variants", "tokens"),
]


def command(out: Path, *more: str) -> list[str]:
    return [sys.executable, str(SCRIPT), "--rehearse", "--out", str(out), *more]


def report_of(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "report.json").read_text())
    return found


@pytest.mark.slow
def test_a_rehearsal_gives_a_figure_for_every_part(tmp_path: Path) -> None:
    done = subprocess.run(command(tmp_path), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    report = report_of(tmp_path)
    parts = report["parts"]
    assert list(parts) == PARTS
    assert sum(report["seconds"].values()) < 205
    assert parts["ceilings"]["flops_per_second"] > 1e9
    assert parts["ladder"][0]["macs"] == 75_891_968
    assert 0 < parts["ladder"][0]["roofline_fraction"] < 1.5
    for side in ("plain-loop", "this-engine"):
        assert parts[side]["trials"] in {1, 2}
        assert 0 < parts[side]["mean_accuracy"] <= 1
    for sharers in (1, 2):
        study = parts[f"study-k{sharers}"]
        assert study["workers_per_device"] == sharers
        assert study["trials"] == study["complete"] + study["stopped"] > 0
        assert 0 < study["busy_share"] <= 1
    of_mixer, of_vit = parts["accuracy"]
    assert of_mixer["network"].startswith("Mixer")
    assert of_vit["network"].startswith("ViT")
    assert of_mixer["epochs"] == of_vit["epochs"]
    assert [len(found["accuracies"]) for found in parts["accuracy"]] == [3, 3]
    assert [row["seeds"] for row in parts["seeds"]] == [1, 2, 5, 10]
    assert [row["variant"] for row in parts["variants"]] == ["as it is", "Triton's products"]
    assert {(row["family"], row["tokens"]) for row in parts["tokens"]} == {
        *(("mixer", 16), ("vit", 16))
    }
    page = (tmp_path / "report.md").read_text()
    assert page.startswith("# Rehearsal of a GPU report")
    assert "not measured" not in page
    assert report["revision"] in page
    assert str(tmp_path) not in page, "a report names no folder of this machine"


@pytest.mark.slow
def test_a_part_that_is_killed_leaves_the_results_of_the_others(tmp_path: Path) -> None:
    done = subprocess.run(
        command(tmp_path, "--parts", "ceilings,ladder,tokens", "--limit", "ladder=0.2"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, "a part has no figure"
    report = report_of(tmp_path)
    assert list(report["parts"]) == ["ceilings", "tokens"]
    assert report["notes"] == {"ladder": "stopped after 0 s, its limit"}
    page = (tmp_path / "report.md").read_text()
    assert "## Training speed\n\nnot measured" in page
    assert "| 16 | Mixer p8" in page


@pytest.mark.slow
def test_a_report_that_is_told_to_end_leaves_what_it_has_and_nobody_behind(tmp_path: Path) -> None:
    out = tmp_path / "out"
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command(out, "--parts", "ceilings,study-k1"),
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("gpu-report-*/study-k1/ours.db")):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 143
    assert "what was measured is kept" in said
    assert "flops_per_second" in report_of(out)["parts"]["ceilings"]
    lines = [file.read_bytes() for file in Path("/proc").glob("[0-9]*/cmdline")]
    assert not [line for line in lines if str(tmp_path).encode() in line]


def test_a_line_that_was_cut_is_no_figure(tmp_path: Path) -> None:
    file = tmp_path / "lines.jsonl"
    assert lines_of(file) == []
    file.write_text('{"a": 1}\n{"a": 2, "config": {"b": 3}')
    assert lines_of(file) == [{"a": 1}]


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--parts", "ladders"], "--parts ladders: there is no such part; there is ceilings, "),
        (["--limit", "ladder=soon"], "--limit ladder=soon: give seconds, as in ladder=30"),
        (["--limit", "ladders=3"], "--limit ladders=3: there is no such part"),
    ],
)
def test_what_cannot_be_is_a_sentence(tmp_path: Path, argv: list[str], says: str) -> None:
    done = subprocess.run(command(tmp_path, *argv), capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {says}")


def test_a_report_takes_the_place_of_no_other(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("{}")
    done = subprocess.run(command(tmp_path), capture_output=True, text=True)
    assert done.returncode == 2
    assert "there is a report; name another folder" in done.stderr
    assert (tmp_path / "report.json").read_text() == "{}"


def test_without_a_gpu_only_a_rehearsal_is_made(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--out", str(tmp_path)],
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "error: --device gpu: JAX finds no such device" in done.stderr
    assert "--rehearse tries every part in small on a CPU" in done.stderr
    assert not (tmp_path / "report.json").exists()


def test_a_report_needs_no_page_no_server_no_cluster_and_no_test() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import gpu_report, gpu_parts;"
        "import search.study.run_study, search.workers.worker; print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(SCRIPT.parent)], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "jax" in loaded
    assert not loaded & {"streamlit", "plotly", "psycopg", "ray", "pytest", "hypothesis"}
