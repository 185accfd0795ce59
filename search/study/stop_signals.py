"""Ctrl-C and SIGTERM, remembered: a library that swallows the exception does not lose them.

JAX has `except:` in places; a signal that arrives inside one is gone. So what runs for long asks
now and then.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from space.errors import MixerSearchError


class ThreadError(MixerSearchError):
    """The search was started in a thread that receives no signals."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C.

    Not KeyboardInterrupt itself: where that leaves code that was run from a string, as `dataclass`
    does at an import, CPython ends the process by SIGINT although it was caught.
    """


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a study as Ctrl-C does."""


class Stopping:
    """Turns both signals into exceptions, at once and again when asked."""

    def __init__(self) -> None:
        self._wanted: type[KeyboardInterrupt] | None = None
        self._is_held = False

    @contextmanager
    def listen(self) -> Iterator[None]:
        """Handles both meanwhile; afterwards they do what they did before.

        Raises:
            ThreadError: not in the main thread, which alone receives signals.
        """
        if threading.current_thread() is not threading.main_thread():
            raise ThreadError(
                "the search was started in a thread, where Ctrl-C and SIGTERM are not heard; start "
                "it in the main thread, or as a process: python -m search.run"
            )
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self._hear) for number in numbers}
        report, sys.unraisablehook = sys.unraisablehook, _but_stops(sys.unraisablehook)
        try:
            yield
        finally:
            sys.unraisablehook = report
            for number, handler in before.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Meanwhile the first signal is only remembered, so that what is under way can end."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False

    def check(self) -> None:
        """Raises what a signal that came should have raised.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed (`Interrupted`), or SIGTERM came (`Terminated`).
        """
        if self._wanted is not None:
            raise self._wanted

    def _hear(self, signum: int, frame: FrameType | None) -> None:
        is_first = self._wanted is None
        self._wanted = Terminated if signum == signal.SIGTERM else Interrupted
        if not (self._is_held and is_first):
            raise self._wanted


def _but_stops(report: Callable[[Any], object]) -> Callable[[Any], object]:
    """A hook for exceptions that nobody can catch, without those of the two signals.

    One that comes while Python frees an object is lost there; `check` raises it again.
    """

    def hook(unraisable: Any) -> None:
        if not isinstance(unraisable.exc_value, Interrupted | Terminated):
            report(unraisable)

    return hook
