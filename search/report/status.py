"""Where a study stands: counts, front, hypervolume, time left. Numbers only."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from runs import pareto, winners
from runs.pace import seconds_left
from runs.record import EpochRecord, Origin, State, StudyRecord, TrialRecord
from runs.seeds import over_seeds
from space.config import Config

if TYPE_CHECKING:
    from search.study.state import StudyState

Ended = Literal["complete", "flat", "timeout"]
"""Why a study trains no further: it has the trials it was to have, or all there are; its front no
longer grows; its time is up."""


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


class StudyStatus:
    """Follows a study trial by trial; one more costs the same however many there are.

    Another thread may draw it: what is read there is replaced, never changed.

    Args:
        study: the study.
        state: its trials; what is reported here is there already.
        goal: finished configurations of its own it is to have.
        baselines: how many baselines it is to have.
        images_per_epoch: training images visited in an epoch.
    """

    def __init__(
        self,
        study: StudyRecord,
        state: StudyState,
        *,
        goal: int,
        baselines: int,
        images_per_epoch: int,
    ) -> None:
        self.study = study
        self.goal = goal
        self.baselines = baselines
        self.running: tuple[Running, ...] = ()
        """Of the trials that train now, the first of every configuration."""
        self.front: tuple[TrialRecord, ...] = ()
        """The search's front, cheapest first, above the least accuracy asked for."""
        self.retried: tuple[int, ...] = ()
        """Of the trials that had failed before and began again, the numbers."""
        self.begun = 0
        """How many trials began in this process."""
        self.counts: Counter[State] = Counter()
        """How many trials of the search ended in which state."""
        self.finished_baselines = 0
        """Baselines that are complete."""
        self._images_per_epoch = images_per_epoch
        self._state = state
        self._ended: dict[int, State] = {}
        """How the trials ended that are counted, by number."""
        self._done: Counter[Origin] = Counter()
        """How many configurations are counted."""
        self._complete: dict[tuple[Config, Origin], bool] = {}
        """Of those, whether all their trials are complete."""
        for trial in self.trials:
            if _has_ended(trial):
                self._count(trial)
        self._find_front(winners.candidates(self.trials))
        self._began = time.monotonic()
        self._done_before = self._done.total()

    def start(self, trial: TrialRecord) -> None:
        """A trial begins, or is tried again after it failed."""
        self.begun += 1
        if trial.number in self._ended:
            self.retried = (*self.retried, trial.number)
            self._done_before -= self._take_back(trial)
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
        """A trial is no longer running, or never ran; from now on it stays as it is."""
        self.running = tuple(r for r in self.running if r.trial.number != trial.number)
        if self._count(trial) and trial.origin is Origin.SEARCH:
            self._find_front([*self.front, *over_seeds(self._state.seeds_of(trial))])

    @property
    def trials(self) -> list[TrialRecord]:
        """All of the search, in the order of their numbers."""
        searched = (trial for trial in self._state.trials.values() if trial.in_search)
        return sorted(searched, key=lambda trial: trial.number)

    @property
    def finished(self) -> int:
        """Configurations of the search that ended: all count towards the goal but refused ones."""
        return self._done[Origin.SEARCH]

    @property
    def ended_baselines(self) -> int:
        """Baselines that ended, complete or not."""
        return self._done[Origin.BASELINE]

    @property
    def failed_baselines(self) -> int:
        """Baselines that ended and are not complete."""
        return self._done[Origin.BASELINE] - self.finished_baselines

    @property
    def hypervolume(self) -> float:
        """Of the front, in accuracy x decades of the cost."""
        found = winners.objectives(self.front, self.study.cost)
        return pareto.hypervolume(*found, winners.reference_of(self.study))

    def is_flat(self, trials: int | None) -> bool:
        """Whether the hypervolume has not grown over so many configurations; never for None."""
        return trials is not None and winners.trials_since_gain(self.study, self.trials) >= trials

    def ended(self, stop_when_flat: int | None) -> Ended:
        """Why it trains no further, given after how many trials without a gain it was to end."""
        if self.finished >= self.goal:
            return "complete"
        return "flat" if self.is_flat(stop_when_flat) else "timeout"

    @property
    def seconds_left(self) -> float | None:
        """At the pace of this process; None before its first configuration ended."""
        here = self._done.total() - self._done_before
        missing = self.goal - self.finished + max(0, self.baselines - self._done[Origin.BASELINE])
        return seconds_left(missing, here, time.monotonic() - self._began)

    def _count(self, trial: TrialRecord) -> bool:
        """Counts a trial that ended; whether its configuration is counted with it, as the last."""
        self._ended[trial.number] = trial.state
        if trial.origin is Origin.SEARCH:
            self.counts = self.counts + Counter([trial.state])
        key = trial.config, trial.origin
        if trial.state is State.REFUSED or key in self._complete:
            return False
        seeds = self._state.seeds_of(trial)
        if not all(map(_has_ended, seeds)):
            return False
        self._complete[key] = all(t.state is State.COMPLETE for t in seeds)
        self._done[trial.origin] += 1
        self.finished_baselines += self._complete[key] and trial.origin is Origin.BASELINE
        return True

    def _take_back(self, trial: TrialRecord) -> bool:
        """No longer counts a trial; whether its configuration is not counted any more either."""
        ended = self._ended.pop(trial.number)
        if trial.origin is Origin.SEARCH:
            self.counts = self.counts - Counter([ended])
        complete = self._complete.pop((trial.config, trial.origin), None)
        if complete is None:
            return False
        self._done[trial.origin] -= 1
        self.finished_baselines -= complete and trial.origin is Origin.BASELINE
        return True

    def _find_front(self, candidates: Sequence[TrialRecord]) -> None:
        """The front of what may be on it."""
        in_order = sorted(candidates, key=lambda trial: trial.number)
        front = winners.front(in_order, self.study.min_accuracy, self.study.cost)
        self.front = tuple(front)


def _has_ended(trial: TrialRecord) -> bool:
    return trial.state is not State.RUNNING
