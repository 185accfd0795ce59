"""What happened when: the stretches of time of a study's trainings, side by side in lanes.

Which worker trained a trial is not recorded. Trainings that overlap in time ran on different
workers, so lanes are packed from their times alone: as many as ever ran at once, and a training
stands in the lane that was free last, as a worker takes its next one when the one before ends.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby

from runs.record import State, TrialRecord
from runs.seeds import by_configuration

BARS_OF_A_LANE = 200
"""More would be narrower than what they show the shares of; see `thinned`."""
MOST_BARS = 1_600
"""Of a timeline that stays light."""


class Phase(StrEnum):
    """What a worker did, in the order in which it does it."""

    COMPILING = "compiling"  # tracing and compiling, as far as training waited for it
    TRAINING = "training"
    VALIDATING = "validating"
    WAITING = "waiting"  # the rest until the trial ended
    UNTIMED = "not timed"  # of trials that failed, or that an older version recorded
    RUNNING = "running"  # until now


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A training from its start to its end, or several in a row; the seeds of a configuration that
    train together are one."""

    lane: int
    """From 0; stretches of a lane do not overlap."""
    start: datetime
    end: datetime
    seconds: Mapping[Phase, float]
    """Of each phase; they add up to the time from start to end."""
    trials: tuple[int, ...]
    """Their numbers."""

    @property
    def duration(self) -> float:
        """Seconds from start to end."""
        return (self.end - self.start).total_seconds()


def timeline(trials: Sequence[TrialRecord], now: datetime | None = None) -> list[Stretch]:
    """The trainings of a study by lane and start; refused trials never started.

    Args:
        trials: of one study.
        now: the end of those that run; None leaves them out, as of a study that nobody runs.
    """
    groups = [
        _training(group, now)
        for seeds in by_configuration(trials).values()
        for group in _together(seeds)
    ]
    known = sorted((one for one in groups if one), key=lambda one: (one.start, one.trials))
    return sorted(_in_lanes(known), key=lambda one: (one.lane, one.start))


def lanes_of(stretches: Sequence[Stretch]) -> int:
    """How many lanes there are."""
    return max((one.lane + 1 for one in stretches), default=0)


def thinned(stretches: Sequence[Stretch], most: int | None = None) -> list[Stretch]:
    """At most about `most` stretches: neighbours in a lane become one where they are too short to
    be told apart.

    The seconds of each phase add up to the same; the time between neighbours is waiting.

    Args:
        stretches: by lane and start, as `timeline` gives them.
        most: how many stretches, two a lane at least; None for what a figure shows well.
    """
    most = most or min(MOST_BARS, BARS_OF_A_LANE * lanes_of(stretches))
    if len(stretches) <= most:
        return list(stretches)
    first, last = min(one.start for one in stretches), max(one.end for one in stretches)
    # A lane has no more than two of these for each `least` seconds
    least = 2 * lanes_of(stretches) * (last - first).total_seconds() / most
    found: list[Stretch] = []
    for _, lane in groupby(stretches, lambda one: one.lane):
        begun = False
        for one in lane:
            if begun and (one.end - found[-1].start).total_seconds() <= least:
                found[-1] = _joined(found[-1], one)
            else:
                found.append(one)
            begun = True
    return found


def _together(seeds: Sequence[TrialRecord]) -> list[list[TrialRecord]]:
    """The seeds of a configuration that train together: each starts before the ones before end."""
    groups: list[list[TrialRecord]] = []
    for trial in sorted(seeds, key=lambda t: t.started_at):
        ends = [t.finished_at for t in groups[-1]] if groups else []
        if groups and all(end is None or trial.started_at < end for end in ends):
            groups[-1].append(trial)
        else:
            groups.append([trial])
    return groups


def _training(trials: Sequence[TrialRecord], now: datetime | None) -> Stretch | None:
    """None of what has no end that is known."""
    start = min(t.started_at for t in trials)
    runs = any(t.state is State.RUNNING for t in trials)
    ends = [t.finished_at for t in trials if t.finished_at is not None]
    end = now if runs else max(ends, default=None)
    if end is None:
        return None
    end = max(start, end)
    phases = {Phase.RUNNING: (end - start).total_seconds()} if runs else _phases(trials, start, end)
    numbers = tuple(t.number for t in trials)
    return Stretch(lane=0, start=start, end=end, seconds=phases, trials=numbers)


def _phases(trials: Sequence[TrialRecord], start: datetime, end: datetime) -> dict[Phase, float]:
    """Of a training that went on from a checkpoint the record has the time since then only: its
    phases share that out in proportion."""
    whole = (end - start).total_seconds()
    timings = [t.timing for t in trials if t.timing is not None]
    if not timings:
        return {Phase.UNTIMED: whole}
    training = sum(one.train_seconds for one in timings)
    validating = sum(one.eval_seconds for one in timings)
    busy = training + validating
    if busy > whole:
        share = whole / busy
        return {Phase.TRAINING: share * training, Phase.VALIDATING: share * validating}
    compiling = sum(one.compile_seconds + (one.trace_seconds or 0.0) for one in timings)
    compiling = min(compiling, whole - busy)
    return {
        Phase.COMPILING: compiling,
        Phase.TRAINING: training,
        Phase.VALIDATING: validating,
        Phase.WAITING: whole - busy - compiling,
    }


def _in_lanes(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Each in the lane that was free last, in the order of their starts."""
    placed: list[Stretch] = []
    free: list[tuple[datetime, int]] = []  # when a lane's last one ended, ascending
    for one in stretches:
        place = bisect_right(free, one.start, key=lambda lane: lane[0]) - 1
        lane = free.pop(place)[1] if place >= 0 else len(free)
        free.insert(bisect_right(free, one.end, key=lambda lane: lane[0]), (one.end, lane))
        placed.append(replace(one, lane=lane))
    return placed


def _joined(one: Stretch, other: Stretch) -> Stretch:
    seconds = dict(one.seconds)
    for phase, spent in other.seconds.items():
        seconds[phase] = seconds.get(phase, 0.0) + spent
    gap = max(timedelta(), other.start - one.end).total_seconds()
    seconds[Phase.WAITING] = seconds.get(Phase.WAITING, 0.0) + gap
    return replace(
        one, end=max(one.end, other.end), seconds=seconds, trials=one.trials + other.trials
    )
