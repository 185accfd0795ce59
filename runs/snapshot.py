"""A study as it was at one reading, and what follows from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean

import numpy as np
import pandas as pd

from runs import pareto, winners
from runs.equal_cost import Comparison, at_equal_cost, compared_families
from runs.frames import trials_frame
from runs.lease import Holder
from runs.noise import Noise, noise_of, undecided
from runs.points import Floats
from runs.reader import Reader
from runs.record import Note, Origin, State, StudyRecord, TestReading, TrialRecord
from runs.rungs import rungs_of
from runs.seeds import by_configuration, over_seeds
from runs.test_readings import all_readings
from space.config import Config


@dataclass(frozen=True)
class History:
    """Columns with one entry for each configuration the search finished, first finished first.

    A configuration is finished when the last of its seeds is.
    """

    hypervolume: Floats
    """Of the configurations so far, in accuracy x decades of the cost."""
    training_flops: Floats
    """Spent so far by the search, on trials that were pruned or failed too (if timed)."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A study and all its trials, in the order of their numbers; what is derived is kept."""

    study: StudyRecord
    trials: list[TrialRecord]
    holder: Holder | None = None
    """Who runs the study, or ran it when its machine failed."""
    is_silent: bool = False
    """Whether the holder gives no sign of life, where there is no other way to tell."""
    readings: Sequence[TestReading] = ()
    """Of the study's test split, those for other studies too; none before its first."""
    notes: Sequence[Note] = ()
    """On the study and its trials, the oldest first."""

    @cached_property
    def is_run(self) -> bool:
        """Whether somebody runs the study, as far as can be told; if not, the trials that have
        not ended were interrupted."""
        return self.holder is not None and self.holder.lives is not False and not self.is_silent

    @cached_property
    def searched(self) -> list[TrialRecord]:
        """The trials of the search, baselines too: those that confirm others are left out."""
        return [t for t in self.trials if t.in_search]

    @cached_property
    def confirming(self) -> list[TrialRecord]:
        """The trials that confirm others with fresh seeds."""
        return [t for t in self.trials if t.origin is Origin.CONFIRMATION]

    @cached_property
    def sought(self) -> list[TrialRecord]:
        """What the study is for: the trials of its search, or those that fine-tune a preset."""
        if self.study.fine_tunes is None:
            return self.searched
        return [t for t in self.trials if t.origin is Origin.FINETUNE]

    @cached_property
    def running(self) -> list[TrialRecord]:
        """The trials that have not ended, of whatever origin."""
        return [t for t in self.trials if t.state is State.RUNNING]

    @cached_property
    def counts(self) -> Counter[State]:
        """How many of the `sought` trials are in which state."""
        return Counter(t.state for t in self.sought)

    @cached_property
    def news(self) -> tuple[object, ...]:
        """Differs from another snapshot's when a trial started or ended in between, the test split
        was read, a note was written, or a process began or ceased to run the study."""
        ends = [t.finished_at for t in self.trials if t.finished_at is not None]
        counts = tuple(sorted(Counter(t.state for t in self.trials).items()))
        run, size = (self.holder, self.is_run), (len(self.trials), len(self.readings))
        return self.study.name, size, counts, max(ends, default=None), run, tuple(self.notes)

    @cached_property
    def found(self) -> list[TrialRecord]:
        """What the search proposed and finished, one trial a configuration: see `over_seeds`."""
        return winners.candidates(self.trials)

    @cached_property
    def front(self) -> list[TrialRecord]:
        """What counts of the found: nobody dominates it, and the study does not call it useless."""
        return winners.front(self.found, self.study.min_accuracy, self.study.cost)

    @cached_property
    def given(self) -> list[TrialRecord]:
        """The finished baselines, one trial a configuration."""
        return over_seeds([t for t in self.trials if t.origin is Origin.BASELINE])

    @cached_property
    def compared(self) -> list[TrialRecord]:
        """The finished baselines of families that are not searched, one trial a configuration."""
        return [t for t in self.given if t.family not in self.study.families]

    @cached_property
    def shown(self) -> list[TrialRecord]:
        """The front and what was given: those whose convergence is looked at."""
        return [*self.front, *self.given]

    @cached_property
    def stopped(self) -> list[TrialRecord]:
        """What the search stopped at a rung, one trial a configuration, in order of the numbers.

        Accuracies are those at the rung, of several seeds the mean: nothing to compare with
        those of finished trials.
        """
        return [
            replace(seeds[0], accuracy=fmean(_accuracies(seeds)))
            for seeds in self.configurations.values()
            if _are_stopped(seeds)
        ]

    @cached_property
    def several(self) -> dict[int, list[float]]:
        """The accuracies behind the mean of each configuration of several seeds that the search
        finished or stopped.

        By the number under which the mean stands.
        """
        return {
            seeds[0].number: _accuracies(seeds)
            for seeds in self.configurations.values()
            if len(seeds) > 1
            and seeds[0].in_search
            and (all(t.state is State.COMPLETE for t in seeds) or _are_stopped(seeds))
        }

    @cached_property
    def noise(self) -> Noise:
        """What the accuracies may be off by."""
        return noise_of(self.study, self.trials)

    @cached_property
    def undecided(self) -> set[int] | None:
        """Numbers of the members of the front that could change places; None where not known."""
        found = undecided(self.front, self.found, self.noise, self.study.cost)
        return None if found is None else {trial.number for trial in found}

    @cached_property
    def comparisons(self) -> list[list[Comparison]]:
        """The families at equal cost, a list a pair of them."""
        return [
            at_equal_cost(*pair, self.noise, self.study.cost)
            for pair in compared_families(self.study, self.found, self.given)
        ]

    @cached_property
    def rungs(self) -> list[int]:
        """The epochs after which the study compares its trials."""
        return rungs_of(self.study.spec, self.trials[0].epochs) if self.trials else []

    def seeds_of(self, trial: TrialRecord) -> list[TrialRecord]:
        """All trials of the same configuration and origin, in the order of their numbers."""
        if trial.state is State.REFUSED:
            return [trial]
        return self.configurations[trial.config, trial.origin]

    def mean_of(self, trial: TrialRecord) -> TrialRecord | None:
        """What a trial's configuration is compared by; None before all its seeds are finished."""
        return next(iter(over_seeds(self.seeds_of(trial))), None)

    @cached_property
    def hypervolume(self) -> float:
        """Of the front, in accuracy x decades of the cost."""
        found = winners.objectives(self.front, self.study.cost)
        return pareto.hypervolume(*found, winners.reference_of(self.study))

    @cached_property
    def history(self) -> History:
        """The hypervolume as the search went on."""
        return self.history_to(winners.reference_of(self.study))

    @cached_property
    def in_order(self) -> tuple[list[TrialRecord], Floats]:
        """The found configurations, first finished first, and the training FLOPs spent by then."""
        ended = sorted(
            (
                trial
                for trial in self.trials
                if trial.origin is Origin.SEARCH and trial.state is not State.RUNNING
            ),
            key=lambda t: (t.finished_at or t.started_at, t.number),
        )
        spent = np.cumsum([t.training_flops or 0.0 for t in ended])
        position = {trial.number: i for i, trial in enumerate(ended)}
        last = {t.number: max(position[s.number] for s in self.seeds_of(t)) for t in self.found}
        finished = sorted(self.found, key=lambda t: last[t.number])
        finished = [t for t in finished if t.cost(self.study.cost) is not None]
        return finished, spent[[last[t.number] for t in finished]]

    def history_to(self, reference: pareto.Reference) -> History:
        """The same, measured to another point than the study's own."""
        finished, spent = self.in_order
        costs, accuracy = winners.objectives(finished, self.study.cost)
        # What is useless was tried, and adds nothing
        useful = [a if a >= self.study.min_accuracy else 0.0 for a in accuracy]
        return History(
            hypervolume=np.array(pareto.hypervolume_history(costs, useful, reference), np.float64),
            training_flops=spent,
        )

    @cached_property
    def frame(self) -> pd.DataFrame:
        """All trials, as `runs.frames.trials_frame` gives them."""
        return trials_frame(self.trials, self.study.min_accuracy, self.study.cost)

    @cached_property
    def configurations(self) -> dict[tuple[Config, Origin], list[TrialRecord]]:
        """The trials of each configuration and origin, see `runs.seeds.by_configuration`."""
        return by_configuration(self.trials)


def read_snapshot(store: Reader, study: str) -> Snapshot:
    """The study as the database has it now.

    Raises:
        UnknownStudyError: there is no such study.
    """
    new = store.read(study)
    readings, notes = all_readings(store, study), store.notes(study)
    return Snapshot(new.study, new.trials, new.holder, readings=readings, notes=notes)


def _accuracies(seeds: Sequence[TrialRecord]) -> list[float]:
    return [t.accuracy for t in seeds if t.accuracy is not None]


def _are_stopped(seeds: Sequence[TrialRecord]) -> bool:
    """Whether all seeds of a configuration were stopped at a rung that is known."""
    return all(
        t.state is State.PRUNED and t.rung is not None and t.accuracy is not None for t in seeds
    )
