"""What fresh seeds say of one network, beside the accuracy for which the search chose it."""

from __future__ import annotations

from dataclasses import dataclass

from runs.confirmation.intervals import Interval
from runs.confirmed import Confirmed
from runs.record import Origin, TrialRecord
from runs.wording import percent
from space.quantities import counted


@dataclass(frozen=True, kw_only=True)
class FreshAccuracy:
    """A network's accuracy over fresh seeds."""

    trial: int
    """That was repeated."""
    interval: Interval
    """In [0, 1]."""
    seeds: int
    split: str
    """`test`, or `validation` before it was read."""

    @property
    def said(self) -> str:
        """`97.50 % (95.90 to 98.50), mean of 3 fresh seeds on test`."""
        low, high = 100 * self.interval.low, 100 * self.interval.high
        return (
            f"{percent(self.interval.value)} ({low:.2f} to {high:.2f}), mean of "
            f"{counted(self.seeds, 'fresh seed')} on {self.split}"
        )


def fresh_accuracy(found: Confirmed, trial: TrialRecord) -> FreshAccuracy | None:
    """Of the configuration of a trial, be it the one repeated or a repetition; None where it was
    not confirmed."""
    number = trial.parent if trial.origin is Origin.CONFIRMATION else trial.number
    places = [i for i, n in enumerate(found.networks) if n.parent.number == number]
    return _of(found, places[0]) if places else None


def best_confirmed(found: Confirmed) -> FreshAccuracy | None:
    """Of the searched network that fresh validation has most accurate; None where none was."""
    searched = [i for i, n in enumerate(found.networks) if n.parent.origin is Origin.SEARCH]
    if not searched:
        return None
    return _of(found, max(searched, key=lambda i: float(found.validation.accuracy[i])))


def _of(found: Confirmed, i: int) -> FreshAccuracy:
    network = found.networks[i]
    return FreshAccuracy(
        trial=network.parent.number,
        interval=found.accuracies[i],
        seeds=len(network.trials),
        split="test" if found.is_tested else "validation",
    )
