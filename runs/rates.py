"""Learning rates that other studies tried for a study: what each reached, and what it took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import fmean

from runs.reader import Reader, UnknownStudyError
from runs.record import State, StudyRecord, TrialRecord


@dataclass(frozen=True, kw_only=True)
class TriedRate:
    """A learning rate, as one study tried it."""

    study: str
    """Its name."""
    rate: float
    epochs: int
    accuracies: Mapping[str, float]
    """By family, the mean over its networks on validation; a training that failed counts as
    guessing. Empty before the first has ended."""
    trials: Sequence[TrialRecord]


def read_rates(store: Reader, study: StudyRecord) -> list[TriedRate]:
    """The rates tried for a study, ascending; none where its rates were given.

    A study of a rate that is no longer in the database is left out.
    """
    found = []
    for name in study.spec.get("rate_studies", ()):
        with suppress(UnknownStudyError):
            tried, trials = store.study(name), store.trials(name)
            recipe = tried.spec["recipe"]
            ended = [t for t in trials if t.state is not State.RUNNING]
            rate = float(recipe["learning_rate"])
            means = mean_accuracies({rate: ended}, study.guess_accuracy)
            found.append(
                TriedRate(
                    study=name,
                    rate=rate,
                    epochs=int(recipe["epochs"]),
                    accuracies={family: by_rate[rate] for family, by_rate in means.items()},
                    trials=trials,
                )
            )
    return sorted(found, key=lambda one: one.rate)


def mean_accuracies(
    trials: Mapping[float, Sequence[TrialRecord]], guess: float
) -> dict[str, dict[float, float]]:
    """By family and learning rate; a trial that failed has the accuracy of guessing."""
    families = dict.fromkeys(t.family for tried in trials.values() for t in tried)
    return {
        family: {
            rate: fmean(
                t.accuracy if t.state is State.COMPLETE and t.accuracy is not None else guess
                for t in tried
                if t.family == family
            )
            for rate, tried in trials.items()
        }
        for family in families
    }
