"""Where a study's wall clock went, as far as its trials were timed. Arithmetic only.

Every worker has a device and a wall clock of its own, in which the device trains, validates, or
waits. Tracing and compiling are no further part of it: they happen in the background while the
trial before trains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from runs.record import State, TrialRecord
from runs.seeds import by_configuration


@dataclass(frozen=True, kw_only=True)
class Account:
    """Sums over the trials of a study that have ended and know their share of the wall clock."""

    trials: int
    wall_seconds: float
    worker_seconds: float
    """The wall clocks of all workers: with two of them, twice the study's."""
    train_seconds: float
    eval_seconds: float
    trace_seconds: float
    """In the background for the most part, as is compiling."""
    compile_seconds: float
    programs: int
    """How many programs there were; the seeds of a configuration train as one."""
    cache_hits: int
    """How many of them were in the cache on disk."""
    median_compile_seconds: float | None
    """Of a program that was not in the cache; None where all were."""

    @property
    def other_seconds(self) -> float:
        """Of the workers' wall clocks, when their devices neither trained nor validated."""
        return max(0.0, self.worker_seconds - self.train_seconds - self.eval_seconds)

    @property
    def busy_share(self) -> float | None:
        """Of the workers' wall clocks, while their devices trained or validated; None where
        nothing is known."""
        if not self.worker_seconds:
            return None
        return (self.train_seconds + self.eval_seconds) / self.worker_seconds

    @property
    def trials_per_hour(self) -> float | None:
        """Trials ended, whatever their end, in an hour of wall clock."""
        return 3600 * self.trials / self.wall_seconds if self.wall_seconds else None


def account(trials: Sequence[TrialRecord]) -> Account:
    """The account of a study, given all its trials."""
    ended = [t for t in trials if t.state not in {State.REFUSED, State.RUNNING}]
    known = [t for t in ended if t.wall_seconds is not None]
    timings = [t.timing for t in known if t.timing is not None]
    programs = [
        (sum(t.compile_seconds for t in made), all(t.cache_hit for t in made))
        for seeds in by_configuration(known).values()
        if (made := [t.timing for t in seeds if t.timing and t.timing.cache_hit is not None])
    ]
    compiled = [seconds for seconds, from_cache in programs if not from_cache]
    return Account(
        trials=len(known),
        wall_seconds=sum(t.wall_seconds or 0.0 for t in known),
        worker_seconds=sum((t.wall_seconds or 0.0) * t.num_workers for t in known),
        train_seconds=sum(t.train_seconds for t in timings),
        eval_seconds=sum(t.eval_seconds for t in timings),
        trace_seconds=sum(t.trace_seconds or 0.0 for t in timings),
        compile_seconds=sum(t.compile_seconds for t in timings),
        programs=len(programs),
        cache_hits=len(programs) - len(compiled),
        median_compile_seconds=median(compiled) if compiled else None,
    )
