"""Where a study stands: counts, front, hypervolume, time left. Numbers only."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

from runs import pareto, winners
from runs.frames import reference_of
from runs.record import EpochRecord, Origin, State, StudyRecord, TrialRecord


class Standing:
    """Follows a study trial by trial.

    Args:
        study: the study.
        trials: those it had at the start.
        goal: finished trials of its own it is to have.
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
        self.running: TrialRecord | None = None
        self.last_epoch: EpochRecord | None = None
        self.images_per_second: float | None = None
        self._images_per_epoch = images_per_epoch
        self._min_accuracy = min_accuracy or 0.0
        self._ended = {t.number: t for t in trials if t.state is not State.RUNNING}
        self._began = time.monotonic()
        self._trained_here = 0

    def start(self, trial: TrialRecord) -> None:
        """A trial begins."""
        self.running, self.last_epoch, self.images_per_second = trial, None, None

    def add_epoch(self, epoch: EpochRecord) -> None:
        """The running trial is an epoch further."""
        before = self.last_epoch.elapsed_seconds if self.last_epoch else 0.0
        self.images_per_second = self._images_per_epoch / (epoch.elapsed_seconds - before)
        self.last_epoch = epoch

    def end(self, trial: TrialRecord) -> None:
        """A trial is no longer running, or never ran."""
        self._ended[trial.number] = trial
        if trial.state is not State.REFUSED:
            self.running = None
            self._trained_here += 1

    @property
    def trials(self) -> list[TrialRecord]:
        """All that ended, in the order of their numbers."""
        return [self._ended[number] for number in sorted(self._ended)]

    @property
    def counts(self) -> Counter[State]:
        """How many trials of the search ended in which state."""
        return Counter(t.state for t in self._ended.values() if t.origin is Origin.SEARCH)

    @property
    def finished(self) -> int:
        """Trials of the search that count towards the goal: all but refused ones."""
        return self.counts.total() - self.counts[State.REFUSED]

    @property
    def finished_baselines(self) -> int:
        """Baselines that ended."""
        return sum(t.origin is Origin.BASELINE for t in self._ended.values())

    @property
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
        return pareto.hypervolume(*winners.objectives(self.front), reference_of(self.study))

    @property
    def seconds_left(self) -> float | None:
        """At the pace of this process; None before its first trial ended."""
        if not self._trained_here:
            return None
        missing = self.goal - self.finished + max(0, self.baselines - self.finished_baselines)
        return max(0, missing) * (time.monotonic() - self._began) / self._trained_here
