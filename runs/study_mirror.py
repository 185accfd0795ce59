"""A study's records in the coordinator's memory, for the spool should the database fail."""

from __future__ import annotations

from collections.abc import Iterable

from runs.record import EpochRecord, StudyRecord, TrialRecord


class StudyMirror:
    """All records of one study, whether the database has taken them or not.

    Ten thousand trials of twenty epochs take some 60 MB.
    """

    def __init__(self) -> None:
        self.study: StudyRecord | None = None
        self._trials: dict[int, TrialRecord] = {}
        self._epochs: dict[int, dict[int, EpochRecord]] = {}

    @property
    def trials(self) -> list[TrialRecord]:
        """In the order of their numbers."""
        return [self._trials[number] for number in sorted(self._trials)]

    @property
    def epochs(self) -> list[EpochRecord]:
        """Ordered by trial and epoch."""
        return [
            self._epochs[number][epoch]
            for number in sorted(self._epochs)
            for epoch in sorted(self._epochs[number])
        ]

    def keep_trials(self, trials: Iterable[TrialRecord]) -> None:
        """Trials in the place of what was known of them."""
        self._trials |= {trial.number: trial for trial in trials}

    def keep_epochs(self, epochs: Iterable[EpochRecord]) -> None:
        """More epochs of their trials."""
        for epoch in epochs:
            self._epochs.setdefault(epoch.trial, {})[epoch.epoch] = epoch

    def restart(self, trials: Iterable[TrialRecord], epochs: Iterable[EpochRecord]) -> None:
        """Trials that have these epochs and no others."""
        for trial in trials:
            self._trials[trial.number] = trial
            self._epochs.pop(trial.number, None)
        self.keep_epochs(epochs)
