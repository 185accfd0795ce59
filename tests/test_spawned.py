"""Programs that start workers, or a search, from wherever they are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from processes import HERE

START = """
import os
from search.workers.spawned import WorkerProcess
print("the program runs", flush=True)
process = WorkerProcess(target=os.getcwd)
process.start()
process.join()
print("exit code", process.exitcode)
"""

DEAF = """
from search.workers.spawned import WorkerProcess
asks = "import signal, sys; sys.exit(signal.SIGINT not in signal.pthread_sigmask(0, ()))"
process = WorkerProcess(target=exec, args=(asks,))
process.start()
process.join()
print("exit code", process.exitcode)
"""

SEARCH = """
import sys
from search.run import main
ARGV = ["--study", "mixer_smoke", "--trials", "1", "--epochs", "1", "--no-baselines"]
ARGV += ["--device", "cpu", "--workers", "1", "--storage", "sqlite:///it.db"]
"""

IN_A_THREAD = f"""{SEARCH}
from threading import Thread
ended = []
thread = Thread(target=lambda: ended.append(main(ARGV)))
thread.start()
thread.join()
sys.exit(*ended)
"""

IN_A_POOL = f"""{SEARCH}
from multiprocessing import get_context
if __name__ == "__main__":
    with get_context("fork").Pool(1) as pool:
        sys.exit(pool.apply(main, [ARGV]))
"""


def run(folder: Path, code: str, *, from_standard_input: bool) -> subprocess.CompletedProcess[str]:
    """A program, run in a folder."""
    file = folder / "program.py"
    if not from_standard_input:
        file.write_text(code)
    return subprocess.run(
        [sys.executable, "-" if from_standard_input else str(file)],
        input=code if from_standard_input else "",
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(HERE.parent)},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize("from_standard_input", [True, False])
def test_a_worker_does_not_run_the_program_that_started_it(
    tmp_path: Path, from_standard_input: bool
) -> None:
    """Which may be in no file, and need not ask whether it is `__main__`."""
    ended = run(tmp_path, START, from_standard_input=from_standard_input)
    assert (ended.stdout, ended.stderr) == ("the program runs\nexit code 0\n", "")


def test_a_search_from_standard_input_searches(tmp_path: Path) -> None:
    ended = run(tmp_path, f"{SEARCH}sys.exit(main(ARGV))", from_standard_input=True)
    assert "1 trial complete" in ended.stdout
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (IN_A_THREAD, "the search was started in a thread, where Ctrl-C and SIGTERM are not heard"),
        (IN_A_POOL, "the search was started in a daemonic process, as those of multiprocessing.P"),
    ],
)
def test_where_a_search_cannot_be_started_it_says_where_it_can(
    tmp_path: Path, code: str, sentence: str
) -> None:
    ended = run(tmp_path, code, from_standard_input=False)
    assert ended.stderr.startswith(f"error: {sentence}")
    assert ended.stderr.endswith("python -m search.run\n")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert not (tmp_path / "it.db").exists()


def test_the_first_process_of_a_program_never_hears_of_ctrl_c(tmp_path: Path) -> None:
    """With it the standard library starts one of its own, and lets Ctrl-C through again."""
    done = run(tmp_path, DEAF, from_standard_input=False)
    assert done.stdout == "exit code 0\n"
