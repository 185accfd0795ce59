"""The coordinator's end of a worker: a process, its pipe, and how far it is."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from search.protocol import Ready, RequestDone, TrialRequest, WeightsOffered, WorkerDied
from search.workers.spawned import WorkerProcess


class WorkerHandle:
    """A process that starts, is ready, and ends: it was killed, or closed its pipe.

    Args:
        work: what the process does with its end of the pipe; can be pickled.
        name: of the process.
        environment: variables that it must see before it imports JAX.
        starts_left: how many processes may be tried in its place, should it not become ready.
        silent_seconds: a process that stops for so long within a large message is killed.
    """

    def __init__(
        self,
        work: Callable[[Connection], None],
        *,
        name: str,
        environment: Mapping[str, str],
        starts_left: int = 0,
        silent_seconds: float = 60.0,
    ) -> None:
        self.starts_left = starts_left
        self._silent_seconds = silent_seconds
        self._may_send_much = False
        """Whether its messages may be larger than a pipe holds: weights, or many classes."""
        self.ready: Ready | None = None
        """What it told when it had its device and the images; None while it starts."""
        self.is_ending = False
        """Whether it is to be replaced when it is gone; what it may still tell does not count."""
        self.lost: WorkerDied | None = None
        """What is to be told of it, if it was killed."""
        self._setting_up: threading.Thread | None = None
        self.pipe, theirs = Pipe()
        self.process = WorkerProcess(
            target=work, args=(theirs,), name=name, environment=environment
        )
        self.process.start()
        theirs.close()

    @property
    def is_ready(self) -> bool:
        """Whether it takes requests."""
        return self.ready is not None and not self.is_ending

    @property
    def end(self) -> str:
        """How its process ended, as far as it has."""
        code = self.process.exitcode
        if code is not None and code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"exit code {code}"

    def set_up(self, setup: object) -> None:
        """Sends what it starts with, in a thread: a process that hangs takes nothing."""
        self._setting_up = threading.Thread(target=self._send, args=(setup,), daemon=True)
        self._setting_up.start()

    def send(self, message: object) -> None:
        """To a process that is ready; another one would take it for its setup."""
        if self.is_ready:
            if isinstance(message, TrialRequest):
                self._may_send_much = message.predicts
            self._send(message)

    def receive(self) -> Any:
        """Its next message; None where it has closed its pipe."""
        watchdog = self._watchdog() if self._may_send_much else None
        try:
            told = self.pipe.recv()
        except (EOFError, OSError):
            self.is_ending = True
            return None
        finally:
            if watchdog:
                watchdog.cancel()
        if isinstance(told, WeightsOffered | RequestDone):
            self._may_send_much = isinstance(told, WeightsOffered)
        return told

    def _watchdog(self) -> threading.Timer:
        """Kills a process that freezes within a message, for the rest of which all would wait."""
        why = f"it stopped for {self._silent_seconds:.0f} s as it sent results"
        watchdog = threading.Timer(self._silent_seconds, self.kill, [WorkerDied(why)])
        watchdog.daemon = True
        watchdog.start()
        return watchdog

    def kill(self, lost: WorkerDied) -> None:
        """Has it end."""
        self.is_ending, self.lost = True, lost
        self.process.kill()

    def close(self) -> None:
        """Ends the process, whatever it does, and closes the pipe once nobody writes to it."""
        self.process.kill()
        if self._setting_up is not None:
            self._setting_up.join()  # a moment: nobody is there to read
        self.pipe.close()

    def _send(self, message: object) -> None:
        with suppress(OSError):  # it died, which `receive` finds out
            self.pipe.send(message)
