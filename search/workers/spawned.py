"""A process for a worker: spawned, and without the program that started it."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import SpawnProcess
from types import ModuleType

from space.errors import MixerSearchError


class DaemonError(MixerSearchError):
    """Workers cannot be started by the process that wants them."""


class WorkerProcess(SpawnProcess):
    """A spawned process that imports what it is to do, and nothing else.

    Others run the program's own file again to have what it defines. There may be none (the program
    came from standard input), or it may search again (it calls `search.run.main` without asking
    whether it is `__main__`). What such a process does must lie in a module.
    """

    def start(self) -> None:
        """Starts it."""
        with _nameless_program():
            super().start()


def check_may_start() -> None:
    """Refuses where no process may be started.

    Raises:
        DaemonError: this process is daemonic.
    """
    if multiprocessing.current_process().daemon:
        raise DaemonError(
            "the search was started in a daemonic process, as those of multiprocessing.Pool are, "
            "which may start no workers; start it as a process of its own: python -m search.run"
        )


@contextmanager
def _nameless_program() -> Iterator[None]:
    """For so long the program is one that has no file, which is what `spawn` looks for."""
    program = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = program
