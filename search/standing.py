"""Where a study stands: counts, front, hypervolume, time left. Numbers only."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from runs import pareto, winners
from runs.record import EpochRecord, Origin, State, StudyRecord, TrialRecord
from runs.seeds import by_configuration
from space.config import Config


@dataclass(frozen=True)
class Running:
    """A trial that trains now."""

    trial: TrialRecord
    last_epoch: EpochRecord | None = None
    """None while it compiles or trains its first."""
    images_per_second: float | None = None
    """In that epoch, or since the start."""

    def after(self, epoch: EpochRecord, num_images: int) -> Running:
        """The same trial after an epoch of so many images."""
        last = self.last_epoch
        if last is not None and last.epoch >= epoch.epoch:  # it was lost, and goes on from before
            last = None
        epochs = epoch.epoch - (last.epoch if last else 0)
        seconds = epoch.elapsed_seconds - (last.elapsed_seconds if last else 0.0)
        return Running(self.trial, epoch, epochs * num_images / seconds)


class Standing:
    """Follows a study trial by trial.

    Args:
        study: the study.
        trials: those it had at the start.
        goal: finished configurations of its own it is to have.
        baselines: how many baselines it is to have.
        images_per_epoch: training images visited in an epoch.
        min_accuracy: below it a trial is not counted as a candidate.
    """

    def __init__(
        self,
        study: StudyRecord,
        trials: Iterable[TrialRecord],
        *,
        goal: int,
        baselines: int,
        images_per_epoch: int,
        min_accuracy: float | None,
    ) -> None:
        self.study = study
        self.goal = goal
        self.baselines = baselines
        self.running: tuple[Running, ...] = ()
        """Of the trials that train now, the first of every configuration."""
        self._images_per_epoch = images_per_epoch
        self._min_accuracy = min_accuracy or 0.0
        self._trials = {t.number: t for t in trials}  # replaced, never changed: a screen reads it
        self._began = time.monotonic()
        self._done_before = len(self._done)

    def start(self, trial: TrialRecord) -> None:
        """A trial begins."""
        self._trials = {**self._trials, trial.number: trial}
        others = tuple(r for r in self.running if r.trial.number != trial.number)
        if all(r.trial.config != trial.config for r in others):
            self.running = (*others, Running(trial))

    def add_epoch(self, epoch: EpochRecord) -> None:
        """A running trial is an epoch further."""
        self.running = tuple(
            r.after(epoch, self._images_per_epoch) if r.trial.number == epoch.trial else r
            for r in self.running
        )

    def end(self, trial: TrialRecord) -> None:
        """A trial is no longer running, or never ran."""
        self._trials = {**self._trials, trial.number: trial}
        self.running = tuple(r for r in self.running if r.trial.number != trial.number)
        for name in ("front", "_done"):  # computed anew when next asked for
            self.__dict__.pop(name, None)

    @property
    def trials(self) -> list[TrialRecord]:
        """All there are, in the order of their numbers."""
        return sorted(self._trials.values(), key=lambda trial: trial.number)

    @property
    def counts(self) -> Counter[State]:
        """How many trials of the search ended in which state."""
        return Counter(
            t.state
            for t in self._trials.values()
            if t.origin is Origin.SEARCH and t.state is not State.RUNNING
        )

    @property
    def finished(self) -> int:
        """Configurations of the search that ended: all count towards the goal but refused ones."""
        return sum(origin is Origin.SEARCH for _, origin in self._done)

    @property
    def finished_baselines(self) -> int:
        """Baselines that ended."""
        return sum(origin is Origin.BASELINE for _, origin in self._done)

    @cached_property
    def _done(self) -> list[tuple[Config, Origin]]:
        groups = by_configuration(list(self._trials.values()))
        return [
            key
            for key, seeds in groups.items()
            if all(trial.state is not State.RUNNING for trial in seeds)
        ]

    @cached_property
    def front(self) -> list[TrialRecord]:
        """The search's front, cheapest first, above the least accuracy asked for."""
        return winners.front(
            [
                trial
                for trial in winners.candidates(self.trials)
                if (trial.accuracy or 0.0) >= self._min_accuracy
            ]
        )

    @property
    def hypervolume(self) -> float:
        """Of the front, in accuracy x decades of FLOPs."""
        return pareto.hypervolume(*winners.objectives(self.front), winners.reference_of(self.study))

    @property
    def seconds_left(self) -> float | None:
        """At the pace of this process; None before its first configuration ended."""
        here = len(self._done) - self._done_before
        if not here:
            return None
        missing = self.goal - self.finished + max(0, self.baselines - self.finished_baselines)
        return max(0, missing) * (time.monotonic() - self._began) / here
