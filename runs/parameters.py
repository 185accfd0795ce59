"""The hyperparameters of a family's networks as columns: which vary among trials, with what values.

They are the fields of the configurations that the images do not settle. One that all trials share
explains nothing and is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from runs.points import Floats
from runs.record import TrialRecord
from runs.snapshot import Snapshot
from space.config import ImageTask
from space.costs import FLOPS, Cost

_GIVEN = {*ImageTask.model_fields, "family"}


@dataclass(frozen=True)
class Parameter:
    """A hyperparameter and the values that trials have of it."""

    name: str
    """The field of the configuration."""
    values: tuple[float | str, ...]
    """Two or more, ascending, once each; numbers, or else all of them strings."""

    @property
    def label(self) -> str:
        """`Hidden dim`, `Number of blocks`."""
        words = self.name.replace("num_", "number of ").replace("_", " ")
        return f"{words[:1].upper()}{words[1:]}".replace("mlp", "MLP").replace("Mlp", "MLP")

    @property
    def is_number(self) -> bool:
        """Whether its values have distances, and not only names."""
        return not isinstance(self.values[0], str)

    @property
    def is_logarithmic(self) -> bool:
        """Whether an axis of it counts factors: of positive numbers that span two doublings."""
        if not self.is_number:
            return False
        low, high = float(self.values[0]), float(self.values[-1])
        return low > 0 and high >= 4 * low

    def of(self, trial: TrialRecord) -> float | str:
        """The value that a trial has."""
        value = _value(getattr(trial.config, self.name))
        return value if self.is_number else str(value)

    def codes(self, trials: Sequence[TrialRecord]) -> Floats:
        """The trials' values as numbers: what they are, or the places of strings in the order."""
        if self.is_number:
            return np.array([self.of(t) for t in trials], np.float64)
        place = {value: i for i, value in enumerate(self.values)}
        return np.array([place[self.of(t)] for t in trials], np.float64)


@dataclass(frozen=True, eq=False)
class FamilyTrials:
    """What is finished of one family of a study, and how its configurations differ."""

    family: str
    cost: Cost
    trials: Sequence[TrialRecord]
    """One a configuration, of several seeds the mean; all have an accuracy and the cost."""

    @cached_property
    def parameters(self) -> list[Parameter]:
        """Those that vary, in the order of the configuration's fields."""
        return varied(self.trials)

    @cached_property
    def accuracy(self) -> Floats:
        return np.array([t.accuracy for t in self.trials], np.float64)

    @cached_property
    def costs(self) -> Floats:
        return np.array([t.cost(self.cost) for t in self.trials], np.float64)


def family_trials(snapshot: Snapshot, family: str) -> FamilyTrials:
    """The finished trials of a family, baselines too: they were trained the same way.

    Stopped ones are left out, since their accuracies are those of less training, and those that
    confirm others: of one configuration they would count twice.
    """
    cost = snapshot.study.cost
    known = {
        t.config: t
        for t in [*snapshot.given, *snapshot.found]
        if t.family == family and t.accuracy is not None and t.cost(cost)
    }
    return FamilyTrials(family, cost, sorted(known.values(), key=lambda t: t.number))


def varied(trials: Sequence[TrialRecord]) -> list[Parameter]:
    """The hyperparameters of which the trials, all of one family, have two values or more."""
    if not trials:
        return []
    names = [name for name in type(trials[0].config).model_fields if name not in _GIVEN]
    found = {name: {_value(getattr(t.config, name)) for t in trials} for name in names}
    return [
        Parameter(name, _ascending(values)) for name, values in found.items() if len(values) > 1
    ]


def brushed(
    found: FamilyTrials,
    *,
    values: Mapping[str, Collection[float | str]] | None = None,
    max_cost: float | None = None,
    min_accuracy: float | None = None,
) -> list[TrialRecord]:
    """The trials that pass every filter given; empty ones pass all.

    Args:
        found: what there is.
        values: of a parameter, by its name, those that are wanted.
        max_cost: of the study's own cost.
        min_accuracy: in [0, 1].
    """
    wanted = [(p, set(values[p.name])) for p in found.parameters if values and values.get(p.name)]
    return [
        trial
        for trial, cost in zip(found.trials, found.costs, strict=True)
        if all(p.of(trial) in those for p, those in wanted)
        and (max_cost is None or cost <= max_cost)
        and (min_accuracy is None or (trial.accuracy or 0.0) >= min_accuracy)
    ]


def parameters_table(
    trials: Sequence[TrialRecord], parameters: Sequence[Parameter], cost: Cost = FLOPS
) -> pd.DataFrame:
    """One row a trial, the most accurate first.

    Columns: Trial, Accuracy (percent), FLOPs (millions), the cost by its label where it is another,
    and each parameter by its label.
    """
    rows = [
        {
            "Trial": trial.number,
            "Accuracy": 100 * (trial.accuracy or 0.0),
            "FLOPs": trial.flops / 1e6,
            **({} if cost is FLOPS else {cost.label: trial.cost(cost)}),
            **{parameter.label: parameter.of(trial) for parameter in parameters},
        }
        for trial in sorted(trials, key=lambda t: -(t.accuracy or 0.0))
    ]
    return pd.DataFrame(rows)


def _value(value: object) -> float | str:
    """A field of a configuration; numbers keep their type, all else goes by its name."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number else str(value)  # type: ignore[return-value]


def _ascending(values: Collection[float | str]) -> tuple[float | str, ...]:
    if any(isinstance(value, str) for value in values):
        return tuple(sorted(str(value) for value in values))
    return tuple(sorted(values, key=float))
