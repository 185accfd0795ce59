"""Where a study stands: counts, front, hypervolume, time left. Numbers only."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runs import pareto, winners
from runs.record import EpochRecord, Origin, State, StudyRecord, TrialRecord
from runs.seeds import over_seeds
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
    """Follows a study trial by trial; what one more costs does not depend on how many there are.

    Another thread may draw it: what is read there is replaced, never changed.

    Args:
        study: the study.
        trials: those it had at the start.
        goal: finished configurations of its own it is to have.
        baselines: how many baselines it is to have.
        images_per_epoch: training images visited in an epoch.
    """

    def __init__(
        self,
        study: StudyRecord,
        trials: Iterable[TrialRecord],
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
        self._images_per_epoch = images_per_epoch
        self._trials: dict[int, TrialRecord] = {}
        self._seeds: dict[tuple[Config, Origin], dict[int, TrialRecord]] = {}
        """By number, those of every configuration that is not refused."""
        for trial in trials:
            self._place(trial)
        self.retried: tuple[int, ...] = ()
        """Of the trials that had failed before and began again, the numbers."""
        self.begun = 0
        """How many trials began in this process."""
        self.counts = Counter(
            t.state for t in self.trials if t.origin is Origin.SEARCH and _has_ended(t)
        )
        """How many trials of the search ended in which state."""
        self._done: Counter[Origin] = Counter()
        self.finished_baselines = 0
        """Baselines that are complete."""
        for seeds in self._seeds.values():
            self._count(list(seeds.values()), 1)
        self._find_front(winners.candidates(self.trials))
        self._began = time.monotonic()
        self._done_before = self._done.total()

    def start(self, trial: TrialRecord) -> None:
        """A trial begins, or is tried again after it failed."""
        self.begun += 1
        before = self._trials.get(trial.number)
        if before is not None and _has_ended(before):
            self.retried = (*self.retried, trial.number)
            if before.origin is Origin.SEARCH:
                self.counts = self.counts - Counter([before.state])
            gone = self._count(self._seeds_of(before), -1)
            self._done_before += gone
        self._place(trial)
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
        self._place(trial)
        self.running = tuple(r for r in self.running if r.trial.number != trial.number)
        is_searched = trial.origin is Origin.SEARCH
        if is_searched:
            self.counts = self.counts + Counter([trial.state])
        if trial.state is State.REFUSED:
            return
        seeds = self._seeds_of(trial)
        if self._count(seeds, 1) and is_searched:
            self._find_front([*self.front, *over_seeds(seeds)])

    @property
    def trials(self) -> list[TrialRecord]:
        """All there are, in the order of their numbers."""
        return sorted(self._trials.values(), key=lambda trial: trial.number)

    @property
    def finished(self) -> int:
        """Configurations of the search that ended: all count towards the goal but refused ones."""
        return self._done[Origin.SEARCH]

    @property
    def failed_baselines(self) -> int:
        """Baselines that ended and are not complete."""
        return self._done[Origin.BASELINE] - self.finished_baselines

    @property
    def hypervolume(self) -> float:
        """Of the front, in accuracy x decades of FLOPs."""
        return pareto.hypervolume(*winners.objectives(self.front), winners.reference_of(self.study))

    @property
    def seconds_left(self) -> float | None:
        """At the pace of this process; None before its first configuration ended."""
        here = self._done.total() - self._done_before
        if not here:
            return None
        missing = self.goal - self.finished + max(0, self.baselines - self._done[Origin.BASELINE])
        return max(0, missing) * (time.monotonic() - self._began) / here

    def _place(self, trial: TrialRecord) -> None:
        """Puts a trial in the place of what was known of it."""
        self._trials[trial.number] = trial
        if trial.state is not State.REFUSED:
            self._seeds.setdefault((trial.config, trial.origin), {})[trial.number] = trial

    def _seeds_of(self, trial: TrialRecord) -> list[TrialRecord]:
        """All trials of its configuration."""
        return list(self._seeds[trial.config, trial.origin].values())

    def _count(self, seeds: Sequence[TrialRecord], by: int) -> int:
        """Counts a configuration, or takes it back: 0 where one of its seeds has not ended."""
        if not all(map(_has_ended, seeds)):
            return 0
        origin = seeds[0].origin
        self._done[origin] += by
        if origin is Origin.BASELINE and all(t.state is State.COMPLETE for t in seeds):
            self.finished_baselines += by
        return by

    def _find_front(self, candidates: Sequence[TrialRecord]) -> None:
        """The front of what may be on it."""
        in_order = sorted(candidates, key=lambda trial: trial.number)
        self.front = tuple(winners.front(in_order, self.study.min_accuracy))


def _has_ended(trial: TrialRecord) -> bool:
    return trial.state is not State.RUNNING
