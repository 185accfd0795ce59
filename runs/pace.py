"""How far a study is, and how long the rest will take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from runs.record import ConfirmationRecord, Origin, State, TrialRecord
from space.quantities import counted, format_seconds

if TYPE_CHECKING:  # commands that train need no data frames
    from runs.snapshot import Snapshot


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How many of what a study was asked for have ended, and the time the others take."""

    ended: int
    """Configurations, all their seeds counted; refused ones are none."""
    goal: int | None
    """How many there are to be; None where an older version did not note it."""
    baselines_ended: int = 0
    baselines: int = 0
    """How many baselines there are to be."""
    seconds_left: float | None = None
    """At the pace of the process that runs it; None where none does, before its first has ended, or
    where the goal is not known."""
    of: str = "configuration"
    """What is counted."""

    @property
    def is_complete(self) -> bool:
        """Whether all that was asked for has ended."""
        return self.goal is not None and not self.missing

    @property
    def missing(self) -> int:
        """Configurations and baselines still to be trained."""
        return max(0, (self.goal or 0) - self.ended) + max(0, self.baselines - self.baselines_ended)

    @property
    def share(self) -> float | None:
        """Of all there are to be, the share that has ended, in [0, 1]; None where not known."""
        if self.goal is None:
            return None
        total = self.goal + self.baselines
        return max(0.0, 1 - self.missing / total) if total else 1.0

    @property
    def sentence(self) -> str:
        """`36 of 40 configurations and 3 of 3 baselines have ended; about 12 min left`."""
        said = counted(self.ended, self.of)
        if self.goal is not None:
            said = f"{self.ended:,} of {counted(self.goal, self.of)}"
        if self.baselines:
            said += f" and {self.baselines_ended:,} of {counted(self.baselines, 'baseline')}"
        number = self.ended if self.goal is None else self.goal
        verb = "has" if number == 1 and not self.baselines else "have"
        left = "" if self.seconds_left is None else f"; {format_seconds(self.seconds_left)} left"
        return f"{said} {verb} ended{left}"


def seconds_left(missing: int, ended: int, seconds: float) -> float | None:
    """What `missing` ones take where `ended` took so many seconds; None where none has ended."""
    return max(0, missing) * seconds / ended if ended else None


def pace_of(snapshot: Snapshot) -> Pace:
    """How far a search or a fine-tuning is.

    The time left is that at the last end of a trial: it is worked out from times that one process
    wrote, since clocks of two machines are not compared.
    """
    spec, study = snapshot.study.spec, snapshot.study
    asked = spec.get("asked") or {}
    if study.fine_tunes is not None:
        ended = [t for t in snapshot.sought if t.state is not State.RUNNING]
        found = Pace(ended=len(ended), goal=int(spec.get("seeds", 1)), of="training")
        return _timed(found, snapshot, [[t] for t in ended])
    over = {
        key: seeds
        for key, seeds in snapshot.configurations.items()
        if seeds[0].in_search and all(t.state is not State.RUNNING for t in seeds)
    }
    given = spec.get("baselines", 0) if asked.get("baselines", True) else 0
    count = given if isinstance(given, int) else len(given)
    baselines = sum(origin is Origin.BASELINE for _, origin in over)
    goal = asked.get("trials")
    found = Pace(
        ended=len(over) - baselines,
        goal=None if goal is None else int(goal),
        baselines_ended=baselines,
        baselines=count if asked else 0,
    )
    return _timed(found, snapshot, list(over.values()))


def confirmation_pace(record: ConfirmationRecord, snapshot: Snapshot) -> Pace:
    """How far a confirmation is, in trainings of its candidates."""
    plan = record.plan
    first = int(plan["first_seed"])
    ended = [t for t in snapshot.confirming if t.seed >= first and t.state is not State.RUNNING]
    goal = int(plan["seeds"]) * len(plan["candidates"]) if "seeds" in plan else None
    found = Pace(ended=len(ended), goal=goal, of="training")
    return _timed(found, snapshot, [[t] for t in ended])


def _timed(pace: Pace, snapshot: Snapshot, ended: Sequence[Sequence[TrialRecord]]) -> Pace:
    """With the time left, given the trials of every configuration that has ended."""
    if not snapshot.is_run or snapshot.holder is None or pace.goal is None:
        return pace
    since = snapshot.holder.since
    here = [g for g in ended if (end := _end(g)) is not None and end > since]
    if not here:
        return pace
    began = max(since, min(t.started_at for g in here for t in g))
    last = max(end for g in here if (end := _end(g)) is not None)
    left = seconds_left(pace.missing, len(here), (last - began).total_seconds())
    return replace(pace, seconds_left=left)


def _end(trials: Sequence[TrialRecord]) -> datetime | None:
    return max((t.finished_at for t in trials if t.finished_at is not None), default=None)
