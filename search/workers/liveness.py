"""Which workers live and keep to the time limit of a trial, by the coordinator's own clock."""

from __future__ import annotations

import time
from collections.abc import Callable

from runs.record import Failure
from search.protocol import WorkerDied
from space.quantities import write_duration

SECONDS_BETWEEN_LOOKS = 1.0
"""At workers that are silent or take too long: so often, at least, a pool calls `Liveness.tick`."""
SECONDS_TO_KEEP = 8.0
"""What is left of an epoch, and its checkpoint, when the study is interrupted."""


class Liveness:
    """How long each worker has been silent and busy, and the sentence with which it is given up.

    Time in which the coordinator itself stood still (stopped, asleep, waiting for a database) does
    not count: its clock moves by two looks at most between two ticks.

    Args:
        count: how many workers, numbered from 0.
        silent_limit: seconds after its last heartbeat at which a worker is given up.
        trial_limit: seconds after which a trial is given up; None for no limit.
        clock: in seconds.
    """

    def __init__(
        self,
        count: int,
        *,
        silent_limit: float,
        trial_limit: float | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.now = 0.0
        """Seconds in which the coordinator was awake."""
        self._silent_limit = silent_limit
        self._trial_limit = trial_limit
        self._clock = clock
        self._looked_at = clock()
        self._heartbeats = [0.0] * count
        self._began: list[float | None] = [None] * count

    def tick(self) -> None:
        """Moves the clock."""
        before, self._looked_at = self._looked_at, self._clock()
        self.now += min(self._looked_at - before, 2 * SECONDS_BETWEEN_LOOKS)

    def heartbeat(self, worker: int) -> None:
        """A worker showed that it lives."""
        self._heartbeats[worker] = self.now

    def begin_trial(self, worker: int) -> None:
        """A worker was sent a request."""
        self._began[worker] = self.now

    def end_trial(self, worker: int) -> None:
        """A worker has nothing to do."""
        self._began[worker] = None

    def restart(self, worker: int) -> None:
        """A process begins, or ends, in the worker's place: it is silent from now on."""
        self.heartbeat(worker)
        self.end_trial(worker)

    def silent_seconds(self, worker: int) -> float:
        """Since its last heartbeat."""
        return self.now - self._heartbeats[worker]

    def busy_seconds(self, worker: int) -> float:
        """Since it was sent what it trains; 0 where it has nothing to do."""
        began = self._began[worker]
        return 0.0 if began is None else self.now - began

    def given_up(self, worker: int) -> WorkerDied | None:
        """Why a worker is to be killed; None where it may go on."""
        limit = self._trial_limit
        if limit is not None and self.busy_seconds(worker) > limit:
            return out_of_time(limit)
        if self.silent_seconds(worker) > self._silent_limit:
            return WorkerDied(f"it gave no sign of life for {self._silent_limit:.0f} s")
        return None


def out_of_time(limit: float) -> WorkerDied:
    """What is told of a worker whose trial took longer than so many seconds."""
    why = f"it took longer than {write_duration(limit)} (--trial-timeout)"
    return WorkerDied(why, Failure.TIMEOUT, limit)
