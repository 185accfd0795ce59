"""A study run by the real command, to be killed and started again; what it must have at its end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from runs import winners
from runs.reader import open_reader
from runs.record import Origin, State, TrialRecord
from runs.storage import StorageError, beside
from runs.weights_folder import weights_folder

NAME = "mixer_digits"
EPOCHS = 6
_COMMAND = ["-m", "search.run", "--study", NAME, "--no-baselines", "--train-limit", "512"]
_COMMAND += ["--set", 'families=["mixer"]']
_COMMAND += ["--epochs", str(EPOCHS), "--device", "cpu", "--checkpoint-every", "0.001s"]
_GOES_ON = re.compile(r"trial (\d+) was interrupted and (?:goes on after epoch (\d+)|starts again)")


class StudyRun:
    """One start of the command, in a process group of its own.

    Args:
        storage: the database.
        trials: how many are asked for.
        folder: the working directory.
        workers: how many.
    """

    def __init__(self, storage: str, trials: int, folder: Path, workers: int = 2) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                *_COMMAND,
                *("--storage", storage, "--trials", str(trials), "--workers", str(workers)),
            ],
            cwd=folder,
            env=os.environ
            | {"PYTHONPATH": str(Path(__file__).parents[1]), "NO_COLOR": "1", "COLUMNS": "250"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def end(self) -> tuple[int, str]:
        """Waits for its end: its exit code and all it said."""
        output, _ = self.process.communicate(timeout=400)
        return self.process.returncode, output

    def kill(self) -> str:
        """Ends it and its workers at once; what it had said."""
        os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.communicate(timeout=60)[0]

    def listens(self) -> bool:
        """Whether it handles SIGTERM by now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (caught,) = re.findall(r"SigCgt:\s*(\w+)", status)
        return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)

    def workers(self) -> list[int]:
        """The processes that train."""
        listing = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [
            int(child)
            for child in listing.split()
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
        ]

    def wait_until(self, is_so: Callable[[], bool]) -> bool:
        """Waits for something while it runs; False when it ended before."""
        while self.process.poll() is None:
            if is_so():
                return True
            time.sleep(0.02)
        return False


def finished(storage: str) -> int:
    """How many trials have ended; 0 where there is no study yet."""
    return sum(state is not State.RUNNING for state in _states(storage).elements())


def epochs_of_running(storage: str) -> dict[int, int]:
    """How many epochs are recorded of the trials under way."""
    try:
        with open_reader(storage) as store:
            running = [t.number for t in store.trials(NAME) if t.state is State.RUNNING]
            curves = store.curves(NAME)
    except StorageError:  # not there yet
        return {}
    return {number: len(curves.get(number, [])) for number in running}


def went_on_after(output: str) -> dict[int, int]:
    """By trial: the epoch after which it says it went on; the first time it says so."""
    found: dict[int, int] = {}
    for number, epoch in _GOES_ON.findall(output):
        found.setdefault(int(number), int(epoch or 0))
    return found


def verify(storage: str, trials: int, folder: Path) -> Counter[State]:
    """Exactly the trials asked for, none twice, none stuck, every epoch once; weights are whole.

    Args:
        storage: the database.
        trials: how many.
        folder: in which the command was run.

    Returns:
        How many trials ended in which state.
    """
    with open_reader(storage) as store:
        records = [t for t in store.trials(NAME) if t.state is not State.REFUSED]
        epochs = store.epochs(NAME)
        assert store.holder(NAME) is None
        weights = store.weights(NAME)
    kept_in = weights_folder(storage, folder / beside(storage, "weights"))
    for kept in weights.values():
        kept_in.read(kept)  # or an error: it is not there, or not whole
    assert set(weights) <= front(records)
    states = Counter(trial.state for trial in records)
    assert all(trial.origin is Origin.SEARCH for trial in records)
    assert states[State.RUNNING] == 0
    assert len(records) == trials
    assert len({trial.config for trial in records}) == trials
    for trial in records:
        curve = [epoch.epoch for epoch in epochs if epoch.trial == trial.number]
        assert curve == list(range(1, len(curve) + 1))
        if trial.state is State.COMPLETE:
            assert len(curve) == EPOCHS
        elif trial.state is State.PRUNED:
            assert len(curve) == trial.rung
        else:
            assert "its worker died twice" in (trial.error or "")
    return states


def without_weights(storage: str) -> set[int]:
    """The trials on the front whose weights are not kept."""
    with open_reader(storage) as store:
        return front(store.trials(NAME)) - set(store.weights(NAME))


def front(trials: Sequence[TrialRecord]) -> set[int]:
    """The numbers of those on it."""
    return {trial.number for trial in winners.front(winners.candidates(trials))}


def _states(storage: str) -> Counter[State]:
    try:
        with open_reader(storage) as store:
            return Counter(trial.state for trial in store.trials(NAME))
    except StorageError:
        return Counter()
