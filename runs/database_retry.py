"""Tries again what a database that is away could not answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, repeat
from typing import TypeVar

from runs.storage import AwayError

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class DatabaseRetry:
    """For how long, and what happens meanwhile."""

    seconds: float = 300.0
    say: Callable[[str], None] = lambda sentence: None
    """Called once when the waiting begins, and once when the database is back."""
    check_stop: Callable[[], None] = lambda: None
    """Called while waiting; raises to give up at once."""

    def call(self, attempt: Callable[[], T]) -> T:
        """What `attempt` returns, tried again with longer and longer breaks.

        Raises:
            AwayError: the database was away for longer than `seconds`.
        """
        since: float | None = None
        for delay in chain((0.25, 0.5, 1.0, 2.0, 4.0), repeat(8.0)):
            try:
                answer = attempt()
            except AwayError as error:
                now = time.monotonic()
                if now - (now if since is None else since) >= self.seconds:
                    raise
                if since is None:
                    since = now
                    self.say(
                        f"{error}. It is tried again for {self.seconds:.0f} s, and training goes "
                        "on meanwhile"
                    )
                self._wait(min(delay, since + self.seconds - now))
            else:
                if since is not None:
                    passed = time.monotonic() - since
                    self.say(f"the database is back after {passed:.0f} s; nothing is lost")
                return answer
        raise AssertionError("there is no end of breaks")

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.check_stop()
            time.sleep(min(left, 0.1))
