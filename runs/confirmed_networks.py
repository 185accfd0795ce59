"""The configurations that a confirmation trains again, with their trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runs.record import Origin, State, StudyRecord, TrialRecord
from space.families import find_family

FEWEST_SEEDS = 2
"""Of a configuration: the scatter between seeds needs two."""
_BASELINE = " baseline"


@dataclass(frozen=True, kw_only=True)
class Network:
    """A configuration that a confirmation trains again."""

    parent: TrialRecord
    """The trial of the search, or the baseline, that is repeated."""
    trials: tuple[TrialRecord, ...] = ()
    """Those with fresh seeds, in the order of their numbers."""

    @property
    def complete(self) -> list[TrialRecord]:
        """Those of them that trained to the end."""
        return [trial for trial in self.trials if trial.state is State.COMPLETE]

    @property
    def has_failed(self) -> bool:
        """Whether one of them failed: a mean over the others would flatter it."""
        return any(trial.state is State.FAILED for trial in self.trials)


def networks_of(
    plan: Mapping[str, Any], trials: Sequence[TrialRecord], plans: Sequence[Mapping[str, Any]]
) -> list[Network]:
    """The candidates of a confirmation with their trials, in the order of its plan.

    Trials of the study's confirmations differ by their seeds, which each takes up where the one
    before ends.

    Args:
        plan: of the confirmation.
        trials: all of the study.
        plans: of all its confirmations.
    """
    mine = int(plan["first_seed"])
    later = [int(other["first_seed"]) for other in plans if int(other["first_seed"]) > mine]
    after = min(later, default=2**63)
    by_number = {trial.number: trial for trial in trials}
    fresh: dict[int | None, list[TrialRecord]] = {}
    for trial in trials:
        if trial.origin is Origin.CONFIRMATION and mine <= trial.seed < after:
            fresh.setdefault(trial.parent, []).append(trial)
    return [
        Network(parent=by_number[number], trials=tuple(fresh.get(number, ())))
        for number in (candidate["trial"] for candidate in plan["candidates"])
    ]


def group_of(trial: TrialRecord, study: StudyRecord) -> str:
    """The group of a network: its family, marked where it is a baseline of one that is searched."""
    label = find_family(trial.family).label
    is_baseline = trial.origin is not Origin.SEARCH and trial.family in study.families
    return f"{label}{_BASELINE}" if is_baseline else label


def is_baselines(group: str) -> bool:
    """Whether a group that `group_of` named is of baselines of a family that was searched too."""
    return group.endswith(_BASELINE)
