"""What can happen to a database's file while the real command writes to it."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from study_processes import NAME, StudyRun, finished, verify

from runs.reader import open_reader
from runs.record import State


def deleted(file: Path) -> None:
    file.unlink()


def replaced(file: Path) -> None:
    """As by somebody who restores a copy made a while ago."""
    copy = file.with_name("copy.db")
    with sqlite3.connect(file) as ours, sqlite3.connect(copy) as theirs:
        ours.backup(theirs)
        theirs.execute("DELETE FROM run_epoch")
    copy.replace(file)


def emptied(file: Path) -> None:
    os.truncate(file, 0)


def check(storage: str, folder: Path, *options: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "search.check", "--storage", storage, *options],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1]), "COLUMNS": "250"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.fault("the database's file deleted, replaced or emptied while a study runs")
@pytest.mark.parametrize(
    "damage",
    [
        deleted,
        pytest.param(replaced, marks=pytest.mark.slow),
        pytest.param(emptied, marks=pytest.mark.slow),
    ],
)
def test_results_of_a_file_that_went_away_are_put_back_and_the_study_goes_on(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    file = tmp_path / "results.db"
    storage = f"sqlite:///{file}"
    run = StudyRun(storage, 10_000, tmp_path, workers=1)
    assert run.wait_until(lambda: finished(storage) >= 2)
    with open_reader(storage) as store:
        before = {t.number: t for t in store.trials(NAME) if t.state is not State.RUNNING}
    damage(file)
    code, output = run.end()
    assert code == 2, output
    assert "Traceback" not in output
    said = output.splitlines()[-1]
    assert "was removed, replaced or emptied while it was written to" in said
    assert f"All results so far are in {file}.spool/" in said
    code, output = check(storage, tmp_path, "--repair")
    if damage is emptied:  # SQLite has put into it what was in its log: too short, or damaged
        assert code in {1, 2}, output
        assert "move the file away, and --repair makes another of the spools" in output
        file.rename(tmp_path / "away.db")
        code, output = check(storage, tmp_path, "--repair")
    assert code == 0, output
    with open_reader(storage) as store:
        after = {trial.number: trial for trial in store.trials(NAME)}
    assert before.items() <= after.items()
    goal = finished(storage) + 1
    code, output = StudyRun(storage, goal, tmp_path, workers=1).end()
    assert code == 0, output
    assert check(storage, tmp_path)[0] == 0
    if damage is not replaced:  # there, trials of the copy without a curve are trained again
        verify(storage, goal, tmp_path)


@pytest.mark.slow
@pytest.mark.fault("the database's disk full while a study runs")
def test_a_disk_that_fills_up_ends_in_a_sentence_and_what_is_written_can_be_read(
    tmp_path: Path,
) -> None:
    file = tmp_path / "results.db"
    storage = f"sqlite:///{file}"
    run = StudyRun(storage, 10_000, tmp_path, workers=1)
    assert run.wait_until(lambda: finished(storage) >= 2)
    size = max(path.stat().st_size for path in tmp_path.glob("results.db*") if path.is_file())
    resource.prlimit(run.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    code, output = run.end()
    assert code == 2, output
    assert "Traceback" not in output
    assert "All results so far are in" in output.splitlines()[-1]
    assert finished(storage) >= 2
    code, output = check(storage, tmp_path, "--repair")
    assert code == 0, output
    goal = finished(storage) + 1
    code, output = StudyRun(storage, goal, tmp_path, workers=1).end()
    assert code == 0, output
    verify(storage, goal, tmp_path)
