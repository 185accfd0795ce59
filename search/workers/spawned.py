"""A process for a worker: spawned, with an environment of its own, without the program's file."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnProcess
from types import ModuleType
from typing import Any

from space.errors import MixerSearchError


class DaemonError(MixerSearchError):
    """Workers cannot be started by the process that wants them."""


class WorkerProcess(SpawnProcess):  # a fork of a process with JAX's threads hangs
    """A spawned process that imports what its target needs, and nothing else; a daemon.

    Other spawned processes run the program's own file again to have what it defines. There may be
    none (the program came from standard input), or it may start a search again (it calls
    `search.run.main` without asking whether it is `__main__`). The target must lie in a module.

    Args:
        target: what the process does.
        args: of the target.
        name: of the process.
        environment: variables that it must see before it imports anything, as JAX.
    """

    def __init__(
        self,
        *,
        target: Callable[..., object],
        args: tuple[Any, ...] = (),
        name: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(target=target, args=args, name=name, daemon=True)
        self._environment = dict(environment or {})

    def start(self) -> None:
        """Starts it."""
        with _nameless_program(), _environment(self._environment), _deaf_to_ctrl_c():
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
    """Meanwhile the program is a module without a file: `spawn` looks for the file."""
    program = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = program


@contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    """With these variables, which a child that is started meanwhile inherits."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """A child that is started meanwhile never hears of it; this process does, a moment later."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # which the first spawn would start, and hear Ctrl-C again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
