"""What is known of a study's trials: read once from the database, then kept up to date."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runs.reader import Reader
from runs.record import EpochRecord, Origin, State, TrialRecord
from runs.seeds import mean_curve
from space.config import Config


class StudyState:
    """The trials of a study and their curves, as its coordinator knows them.

    Scheduler and status read it; the coordinator alone changes it.
    """

    def __init__(self, trials: Iterable[TrialRecord] = ()) -> None:
        self.trials: dict[int, TrialRecord] = {}
        """By number."""
        self.curves: dict[int, list[float]] = {}
        """Accuracies by epoch, by number."""
        self._seeds: dict[tuple[Config, Origin], dict[int, TrialRecord]] = {}
        """By number, those of every configuration that are not refused."""
        self.put(trials)

    @classmethod
    def read(cls, store: Reader, study: str) -> StudyState:
        """As the database has it."""
        state = cls(store.trials(study))
        state.curves |= {number: list(curve) for number, curve in store.curves(study).items()}
        return state

    def put(self, trials: Iterable[TrialRecord]) -> None:
        """Trials in the place of what was known of them."""
        for trial in trials:
            self.trials[trial.number] = trial
            if trial.state is not State.REFUSED:
                self._seeds.setdefault((trial.config, trial.origin), {})[trial.number] = trial

    def seeds_of(self, trial: TrialRecord) -> list[TrialRecord]:
        """All trials of its configuration, none of them refused."""
        return list(self._seeds[trial.config, trial.origin].values())

    def add_epochs(self, epochs: Iterable[EpochRecord]) -> None:
        """Trials were trained on."""
        for epoch in epochs:
            self.curves.setdefault(epoch.trial, []).append(epoch.validation_accuracy)

    def restart(self, trials: Iterable[TrialRecord], epochs: Iterable[EpochRecord]) -> None:
        """Trials that have these epochs and no others."""
        trials = list(trials)
        self.put(trials)
        for trial in trials:
            self.curves[trial.number] = []
        self.add_epochs(epochs)

    def curve_of(self, trials: Sequence[TrialRecord]) -> list[float]:
        """The mean of the trials of a configuration, as far as all of them go."""
        return mean_curve([self.curves.get(trial.number, ()) for trial in trials])
