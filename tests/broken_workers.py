"""Workers that do not do what they should, each in a process of its own."""

from __future__ import annotations

import os
import signal
import struct
import time
from collections.abc import Callable
from multiprocessing import current_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any


def device_fails(pipe: Connection) -> None:
    """Trains as any worker does, on a device that fails within the trial of seed 1."""
    import jax

    import search.train.engine
    from search.workers.worker import work

    train = search.train.engine.train

    def train_or_fail(request: Any, *args: Any) -> Any:
        for event in train(request, *args):
            yield event
            if request.seeds == (1,):
                raise jax.errors.JaxRuntimeError("INTERNAL: illegal address\nand much more")

    search.train.engine.train = train_or_fail
    work(pipe)


def hangs(pipe: Connection) -> None:
    """Reads nothing and says nothing."""
    time.sleep(3600)


def ends(pipe: Connection) -> None:
    """At once."""
    os._exit(7)


def starts_late(pipe: Connection, release: Path) -> None:
    """Trains as any worker does, once a file is there."""
    from search.workers.worker import work

    while not release.exists():
        time.sleep(0.05)
    work(pipe)


def replaced_by(pipe: Connection, starts: Path, replacement: Callable[[Connection], None]) -> None:
    """Trains as any worker does; the processes that take its place do something else.

    Args:
        starts: a folder, in which every process writes a line when it starts.
        replacement: what those do.
    """
    file = starts / current_process().name
    with file.open("a") as lines:
        lines.write("started\n")
    if len(file.read_text().splitlines()) > 1:
        replacement(pipe)
        return
    from search.workers.worker import work

    work(pipe)


def freezes_in(kind: type, pipe: Connection) -> None:
    """Trains as any worker does, and stops in the middle of the first message of a kind."""
    import search.workers.worker as worker

    class Channel(worker._WorkerChannel):
        def tell(self, message: object) -> None:
            if isinstance(message, kind):
                size = struct.pack("!i", 10**6)  # how a message begins that has so many bytes
                os.write(pipe.fileno(), size + b"the beginning")
                os.kill(os.getpid(), signal.SIGSTOP)
            super().tell(message)

    worker._WorkerChannel = Channel  # type: ignore[misc]
    worker.work(pipe)
