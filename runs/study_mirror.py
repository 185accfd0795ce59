"""A study's records in the coordinator's memory, for the spool should the database fail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from runs.record import (
    ConfirmationRecord,
    EpochRecord,
    ImageResults,
    KeptResults,
    Note,
    StudyRecord,
    TestReading,
    TrialRecord,
    WeightsRecord,
)


class StudyMirror:
    """All records of one study, whether the database has taken them or not.

    Ten thousand trials of twenty epochs take some 60 MB.
    """

    def __init__(self) -> None:
        self.study: StudyRecord | None = None
        self._trials: dict[int, TrialRecord] = {}
        self._epochs: dict[int, dict[int, EpochRecord]] = {}
        self._weights: dict[int, WeightsRecord] = {}
        self._image_results: dict[tuple[int, str], ImageResults] = {}
        self._confirmations: list[ConfirmationRecord] = []
        self._readings: list[TestReading] = []
        self._notes: list[Note] = []

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

    @property
    def kept(self) -> KeptResults:
        """Weights and image results in the order of their trials' numbers."""
        return KeptResults(
            weights=tuple(self._weights[number] for number in sorted(self._weights)),
            image_results=tuple(self._image_results[key] for key in sorted(self._image_results)),
            confirmations=tuple(self._confirmations),
            readings=tuple(self._readings),
            notes=tuple(self._notes),
        )

    def keep_trials(self, trials: Iterable[TrialRecord]) -> None:
        """Trials in the place of what was known of them."""
        self._trials |= {trial.number: trial for trial in trials}

    def keep_epochs(self, epochs: Iterable[EpochRecord]) -> None:
        """More epochs of their trials."""
        for epoch in epochs:
            self._epochs.setdefault(epoch.trial, {})[epoch.epoch] = epoch

    def put_costs(self, costs: Mapping[str, Mapping[int, float]]) -> None:
        """Values by the number of the trial, by the name of the cost; other trials lose theirs."""
        for number, trial in self._trials.items():
            kept = {name: value for name, value in trial.costs.items() if name not in costs}
            new = {name: values[number] for name, values in costs.items() if number in values}
            if trial.costs != kept | new:
                self._trials[number] = replace(trial, costs=kept | new)

    def restart(self, trials: Iterable[TrialRecord], epochs: Iterable[EpochRecord]) -> None:
        """Trials that have these epochs and no others."""
        for trial in trials:
            self._trials[trial.number] = trial
            self._epochs.pop(trial.number, None)
        self.keep_epochs(epochs)

    def keep(self, more: KeptResults) -> None:
        """More is kept: weights and image results in the place of what was of the same trials."""
        self._weights |= {record.trial: record for record in more.weights}
        self._image_results |= {(r.trial, r.split): r for r in more.image_results}
        self._confirmations += more.confirmations
        self._readings += more.readings
        self._notes += more.notes

    def drop_weights(self, trials: Iterable[int]) -> None:
        """Of these no weights are kept any more."""
        for number in trials:
            self._weights.pop(number, None)
