"""The winner of a study: a configuration with what is known of it, and which training it is taken
from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from runs import winners
from runs.confirmed import find_confirmed
from runs.noise import noise_of
from runs.reader import Reader
from runs.record import State, StudyRecord, TrialRecord
from runs.seeds import behind
from space.errors import MixerSearchError
from space.presets import Preset


class NoTrainingError(MixerSearchError):
    """A winner has no training of the seed that was asked for."""


@dataclass(frozen=True, kw_only=True)
class Winner:
    """A configuration that was picked, and its trainings."""

    study: StudyRecord
    trial: TrialRecord
    """With the mean over its trainings as accuracy."""
    trainings: tuple[TrialRecord, ...]
    interval: dict[str, float] | None = None
    """Of that mean, as far as the search can tell."""
    confirmed: dict[str, Any] | None = None
    """What fresh seeds say of it: see `runs.confirmed`."""

    @classmethod
    def of(cls, study: StudyRecord, trial: TrialRecord, trials: Sequence[TrialRecord]) -> Winner:
        """One that was picked from all trials of a search."""
        found = noise_of(study, trials).interval(trial)
        interval = None if found is None else {"low": found.low, "high": found.high}
        trainings = tuple(behind(trials, trial))
        return cls(study=study, trial=trial, trainings=trainings, interval=interval)

    def preset(self, name: str) -> Preset:
        """Its configuration, and where it was found."""
        preset = winners.preset_of(self.study, self.trial, name, self.trainings)
        if self.confirmed:
            preset.source["confirmed"] = self.confirmed
        return preset

    def training(self, seed: int | None, kept: Collection[int]) -> TrialRecord:
        """The training whose weights are taken.

        Args:
            seed: of it; None for the best on validation among those whose weights are kept.
            kept: numbers of the trials whose weights are.

        Raises:
            NoTrainingError: none has that seed.
        """
        complete = [t for t in self.trainings if t.state is State.COMPLETE]
        if seed is not None:
            mine = [t for t in complete if t.seed == seed]
            if not mine:
                seeds = ", ".join(str(t.seed) for t in complete)
                raise NoTrainingError(
                    f"--seed {seed}: trial {self.trial.number} was trained with {seeds}; name one "
                    "of these, or leave it out for the best on validation"
                )
            return mine[0]
        among = [t for t in complete if t.number in kept] or complete
        return max(among, key=lambda t: (t.accuracy or 0.0, -(t.loss or 0.0), -t.seed))


def pick_winner(
    store: Reader,
    study: str,
    rule: str,
    *,
    max_flops: float | None = None,
    max_cost: float | None = None,
    min_accuracy: float | None = None,
) -> Winner:
    """Picks among the means of a confirmation where there is one, else among the search's trials.

    Args:
        store: the database.
        study: its name.
        rule: as `runs.winners.pick`; a trial that is named is itself, whatever was confirmed.
        max_flops: as there.
        max_cost: as there.
        min_accuracy: as there; None for the study's own, which does not bind a trial that is named.

    Raises:
        NoWinnerError: no finished trial answers.
        UnknownStudyError: there is no such study.
    """
    record, trials = store.study(study), store.trials(study)
    is_named = rule.startswith("trial=")
    confirmed = None if is_named else find_confirmed(store, study)
    # What is named by its number, a baseline maybe, need not be what the study calls useful
    useful = 0.0 if is_named else record.min_accuracy
    trial = winners.pick(
        confirmed.means() if confirmed else trials,
        rule,
        max_flops=max_flops,
        max_cost=max_cost,
        cost=record.cost,
        min_accuracy=useful if min_accuracy is None else min_accuracy,
    )
    if confirmed is None:
        return Winner.of(record, trial, trials)
    trial, trainings, facts = confirmed.behind(trial)
    return Winner(study=record, trial=trial, trainings=tuple(trainings), confirmed=facts)
