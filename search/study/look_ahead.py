"""When it is settled what a worker trains next, to be compiled while it trains.

A proposal should know of as many ends as it can, and be made early enough that the worker does not
wait for its program. With few workers both are had at the start of a training. With many, proposals
at the start would know nothing of how the first two trainings of every worker end: then it is
settled as late as compiling allows, and halfway at the latest.
"""

from __future__ import annotations

from runs.record import EpochRecord, Timing

MANY_WORKERS = 8
"""From so many on it is settled late. With four that gained nothing."""

_MARGIN = 2.0
"""Times the longest compilation so far that is left for the next one."""


class LookAhead:
    """The decision, for the workers of a study.

    Args:
        num_workers: how many train side by side.
    """

    def __init__(self, num_workers: int) -> None:
        self.at_start = num_workers < MANY_WORKERS
        """Whether it is settled as soon as a training begins."""
        self._compile_seconds = 0.0

    def ended(self, timing: Timing) -> None:
        """A trial has ended: so long its program took."""
        self._compile_seconds = max(self._compile_seconds, timing.compile_seconds)

    def is_due(self, epoch: EpochRecord, epochs: int) -> bool:
        """Whether it is time, after an epoch of a training of so many."""
        left = epoch.elapsed_seconds * (epochs / epoch.epoch - 1)
        return 2 * epoch.epoch >= epochs or left <= _MARGIN * self._compile_seconds
