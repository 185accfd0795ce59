"""What is measured on one table: every method's courses, what rungs do, workers side by side."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from course import MEASURES, Course
from estimates import Estimate, ratio
from find_table import find_table
from methods import METHODS, MOST_TRIALS, OURS, PEER_TRIALS, RECORDED, TARGET, course_of
from peers import read_peers
from table import FLOORS

from runs.record import State

SHARES = (0.9, 0.95, TARGET)

TRIALS = (15, 30, 60)
"""After so many trials shares of the hypervolume are compared."""

WORKERS = (1, 4, 16)


@dataclass(frozen=True)
class RungEffect:
    """One study of ours of 60 trials, and the same without rungs."""

    share: float
    """Of the hypervolume above the median accuracy."""
    share_without: float
    saved: float
    """Compute of the epochs that were not trained, as a share of all that were asked for."""
    stopped: int
    stopped_on_front: int


@dataclass
class Measured:
    """One table."""

    name: str
    about: dict[str, Any]
    courses: dict[str, list[Course]] = field(default_factory=dict)
    rungs: list[RungEffect] = field(default_factory=list)
    workers: dict[int, list[list[float]]] = field(default_factory=dict)
    """By number of workers: a row a repeat, the share after each of `TRIALS`."""

    def spent(self, method: str, share: float, measure: Any, floor: Any = "median") -> list[float]:
        """By the method's repeats."""
        return [course.spent_to(share, measure, floor) for course in self.courses[method]]

    def against_ours(self, method: str, share: float, measure: Any) -> Estimate:
        """How many times ours it needs; NaN where neither gets there.

        A recorded study that ended before it got there counts as it stood at its end, so that the
        ratio is the least that it may be.
        """
        ours, theirs = self.spent(OURS, share, measure), self.spent(method, share, measure)
        if method not in RECORDED or np.isinf(np.median(ours)):
            return ratio(theirs, ours)
        least = [course.spent_at_least(share, measure) for course in self.courses[method]]
        is_least = bool(np.median(least) < np.median(theirs))
        return replace(ratio(least, ours), is_least=is_least)

    def not_reached(self, method: str, share: float) -> str:
        """In how many repeats of a recorded method it did not get there; empty where in none."""
        spent = self.spent(method, share, "trials")
        missed = int(np.isinf(spent).sum())
        if method not in RECORDED or not missed:
            return ""
        return f"{method} not within {PEER_TRIALS} trials in {missed} of {len(spent)} repeats"

    def shares_after(self, method: str, trials: int) -> list[float]:
        """Of the hypervolume above the median accuracy, by the method's repeats; no more than the
        target, at which studies end."""
        return [min(course.share_after(trials), TARGET) for course in self.courses[method]]

    def as_json(self) -> dict[str, Any]:
        """Every repeat's figures; null is never."""
        return self.about | {
            "spent": {
                method: {
                    floor: {
                        measure: {
                            str(share): [
                                value if np.isfinite(value) else None
                                for value in self.spent(method, share, measure, floor)
                            ]
                            for share in SHARES
                        }
                        for measure in MEASURES
                    }
                    for floor in FLOORS
                }
                for method in self.courses
            },
            "shares_after_trials": {
                method: {n: self.shares_after(method, n) for n in TRIALS} for method in self.courses
            },
            "rungs": [vars(effect) for effect in self.rungs],
            "workers": self.workers,
        }


def measure(
    pool: ProcessPoolExecutor, name: str, seeds: Sequence[int], methods: Sequence[str]
) -> Measured:
    """Searches a table by each method, once a seed.

    Raises:
        TableError: there is no such table, or the recorded courses are of another.
    """
    table = find_table(name)
    about = {
        "members": len(table.members),
        "flops_ceiling": table.flops_ceiling,
        "median_accuracy": table.median_accuracy,
    }
    done = Measured(name, about)
    peers = read_peers(name, table)
    jobs: dict[str, list[Future[Course]]] = {
        method: [pool.submit(_course, name, method, seed) for seed in seeds]
        for method in methods
        if method not in RECORDED and METHODS[method].is_for(table)
    }
    rungs = [pool.submit(rung_effect, name, seed) for seed in seeds]
    workers = {w: [pool.submit(_after, name, w, seed) for seed in seeds] for w in WORKERS}
    for method in methods:
        if method in jobs:
            done.courses[method] = [job.result() for job in jobs[method]]
        elif method in peers:
            done.courses[method] = peers[method]
    done.rungs = [job.result() for job in rungs]
    done.workers = {w: [job.result() for job in many] for w, many in workers.items()}
    return done


def _course(table: str, method: str, seed: int) -> Course:
    return course_of(find_table(table), method, seed, until=TARGET, num_trials=MOST_TRIALS)


def rung_effect(name: str, seed: int) -> RungEffect:
    """What rungs do to a study of ours."""
    table = find_table(name)
    with_rungs, without = (
        METHODS[method].replay(table, seed, num_trials=TRIALS[-1])
        for method in (OURS, "ours, no rungs")
    )
    stopped = [t for t in with_rungs.trials if t.state is State.PRUNED]
    front = table.front()
    whole = sum(t.flops * t.epochs for t in with_rungs.trials if t.state is not State.REFUSED)
    return RungEffect(
        share=with_rungs.share_after(TRIALS[-1]),
        share_without=without.share_after(TRIALS[-1]),
        saved=sum(t.flops * (t.epochs - (t.rung or 0)) for t in stopped) / whole,
        stopped=len(stopped),
        stopped_on_front=sum(t.config in front for t in stopped),
    )


def _after(name: str, workers: int, seed: int) -> list[float]:
    table = find_table(name)
    course = METHODS[OURS].replay(table, seed, workers=workers, num_trials=TRIALS[-1])
    return [course.share_after(trials) for trials in TRIALS]
