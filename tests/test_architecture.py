"""The import contracts of `pyproject.toml`: kept, able to fail, and worth what they promise."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("search", "space", "dashboard", "runs")
STACK = ("jax", "flax", "optax", "optuna")


def lint(folder: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    """Runs `lint-imports` on the packages in a folder."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--cache-dir", cache],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("import-linter")


def test_the_contracts_are_kept(cache: Path) -> None:
    found = lint(ROOT, cache)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "11 kept, 0 broken" in found.stdout


def test_every_contract_can_be_broken(tmp_path: Path, cache: Path) -> None:
    """One line in the wrong place for each, in a copy."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__", "*.db*")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    wrong = {
        "space/ladder.py": "import runs.record",  # upwards
        "space/cost.py": "import pandas",
        "runs/pareto.py": "import optuna",
        "search/sampler.py": "import sqlalchemy",
        "search/spec/rungs.py": "import search.data",
        "search/study/loop.py": "import search.train.engine",
        "search/study/worker_slot.py": "import search.schedule.sampler",
        "search/schedule/scheduler.py": "import jax",
        "search/train/trial.py": "import optuna",
        "dashboard/chosen.py": "import jax",
        "runs/winners.py": "import runs.writer",  # which the dashboard imports
    }
    for file, line in wrong.items():
        path = tmp_path / file
        path.write_text(f"{path.read_text()}\n\ndef _wrong():\n    {line}\n")
    found = lint(tmp_path, cache)
    assert found.returncode == 1
    assert f"0 kept, {len(wrong)} broken" in found.stdout, found.stdout


def loaded(statement: str) -> set[str]:
    """Top-level modules a fresh interpreter has loaded after a statement."""
    code = f"{statement}; import sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()
    )


@pytest.mark.parametrize(
    ("statement", "spared"),
    [
        ("import space.cost, space.presets, space.ladder, space.suggest", (*STACK, "sqlalchemy")),
        ("import runs.reader, runs.winners, runs.pareto", (*STACK, "pandas", "streamlit")),
        ("import runs.frames", (*STACK, "streamlit", "plotly", "tensorflow")),
        ("import runs.plot.figures.front, runs.snapshot", (*STACK, "streamlit")),
        ("import runs.__main__", (*STACK, "pandas", "streamlit", "plotly", "jinja2")),
        ("import runs", ("numpy", "sqlalchemy", "pandas")),
    ],
)
def test_what_is_not_needed_is_not_loaded(statement: str, spared: tuple[str, ...]) -> None:
    found = loaded(statement)
    assert statement.split()[1].split(".")[0] in found
    assert not found & set(spared)


def test_no_test_folder_shadows_a_package() -> None:
    assert not [path for path in (ROOT / "tests").iterdir() if path.stem in PACKAGES]


def test_who_coordinates_other_processes_never_loads_the_accelerator_stack() -> None:
    """It would take memory of a device that a worker needs, and seconds to start."""
    code = (
        "import sys, search.run, search.study.run_study\n"
        "print([name for name in ('jax', 'flax', 'optax') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
