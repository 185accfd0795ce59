"""How much hypervolume early stopping has lost, by the trials that were exempt from it.

An exempt trial was trained to the end although it was to be stopped, so what the front would lose
without it is known. Those that were stopped are taken to have been worth as much on the average;
where the lot has drawn five exempt trials, only these speak for them. Of two stopped trials that
would have widened the front in the same place each counts in full: rather too much than too little.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from runs import pareto
from runs.confirmation.image_results import Floats
from runs.confirmation.intervals import Interval
from runs.noise import LEVEL
from runs.record import Origin, State, StudyRecord, TrialRecord
from runs.rungs import first_exempt, stands_for
from runs.seeds import by_configuration
from runs.winners import candidates, front, objectives, reference_of

_FEWEST = 5
"""Exempt configurations before anything is estimated."""


@dataclass(frozen=True, kw_only=True)
class HypervolumeLost:
    """An estimate, and what it rests on: configurations of the search."""

    num_stopped: int
    num_exempt: int
    """Exempt configurations that the estimate rests on."""
    num_adding: int
    """Those among them that widen the front."""
    share: Interval | None
    """Of the hypervolume there would be without stopping, at `runs.noise.LEVEL`. None where too few
    were exempt, or where none of them widens the front: that says how often stopping is wrong, not
    by how much."""

    @property
    def sentence(self) -> str | None:
        """In words; None where nothing was stopped."""
        if not self.num_stopped:
            return None
        if self.num_exempt < _FEWEST:
            return (
                "how much hypervolume stopping has lost cannot be said yet: "
                f"{self.num_exempt or 'no'} exempt configuration"
                f"{' speaks' if self.num_exempt == 1 else 's speak'} for those that were stopped, "
                f"and {_FEWEST} are the fewest"
            )
        if self.share is None:
            most = 1 - (1 - LEVEL) ** (1 / self.num_exempt)
            return (
                f"none of the {self.num_exempt} exempt configurations widens the front, so that of "
                f"the {self.num_stopped} stopped {'one' if self.num_stopped == 1 else 'ones'} at "
                f"most {100 * most:.0f} % would have ({100 * LEVEL:g} % confidence)"
            )
        low, high = 100 * self.share.low, 100 * self.share.high
        return (
            f"stopping is estimated to have lost {100 * self.share.value:.1f} % of the hypervolume "
            f"({100 * LEVEL:g} % interval {low:.1f} to {high:.1f} %), as far as "
            f"{self.num_exempt} exempt configurations tell, of which {self.num_adding} "
            f"{'widens' if self.num_adding == 1 else 'widen'} the front"
        )


def hypervolume_lost(study: StudyRecord, trials: Sequence[TrialRecord]) -> HypervolumeLost:
    """By all trials of a study.

    The exempt are a sample of all that were to be stopped, each standing for as many of the stopped
    as `runs.rungs.stands_for` says. The interval is Student's for what so many more would have
    added: it covers how the exempt differ, and that the stopped ones may differ from them.
    """
    searched = [trial for trial in trials if trial.origin is Origin.SEARCH]
    found = [
        trial
        for trial in candidates(searched)
        if (trial.accuracy or 0.0) >= study.min_accuracy and trial.cost(study.cost) is not None
    ]
    whole = _hypervolume(study, found)
    on_front = {trial.config for trial in front(found, study.min_accuracy, study.cost)}
    num_stopped = 0
    gains: list[float] = []
    stand_for: list[float] = []
    for family in dict.fromkeys(trial.family for trial in searched):
        mine = by_configuration([trial for trial in searched if trial.family == family])
        stopped = [c for c, g in mine.items() if any(t.state is State.PRUNED for t in g)]
        exempt = [
            config
            for (config, _), group in mine.items()
            if all(t.state is State.COMPLETE and t.rung is not None for t in group)
        ]
        num_stopped += len(stopped)
        shares = stands_for(len(exempt), len(stopped), first_exempt(study.spec), _FEWEST)
        for config, share in zip(exempt, shares, strict=True):
            if share > 1:
                gain = 0.0
                if config in on_front:  # what others dominate adds nothing
                    without = [trial for trial in found if trial.config != config]
                    gain = max(0.0, whole - _hypervolume(study, without))
                gains.append(gain)
                stand_for.append(share - 1)
    return HypervolumeLost(
        num_stopped=num_stopped,
        num_exempt=len(gains),
        num_adding=sum(gain > 0 for gain in gains),
        share=share_lost(whole, np.array(gains), np.array(stand_for))
        if len(gains) >= _FEWEST and any(gains)
        else None,
    )


def share_lost(whole: float, gains: Floats, stand_for: Floats) -> Interval:
    """Of the hypervolume there would be, given what each exempt trial adds to what there is, and
    how many of the stopped ones each stands for."""
    num = float(stand_for.sum())
    mean = float(stand_for @ gains) / num
    # Kish's sample size: of several families, all but one trial may stand for next to none
    effective = max(2.0, num**2 / float(stand_for @ stand_for))
    variance = float(stand_for @ (gains - mean) ** 2) / num * effective / (effective - 1)
    error = math.sqrt(variance * (num**2 / effective + num))
    half = float(t.ppf((1 + LEVEL) / 2, effective - 1)) * error
    low, value, high = (max(0.0, num * mean + k * half) for k in (-1, 0, 1))
    return Interval(
        value=value / (whole + value), low=low / (whole + low), high=high / (whole + high)
    )


def _hypervolume(study: StudyRecord, trials: Sequence[TrialRecord]) -> float:
    return pareto.hypervolume(*objectives(trials, study.cost), reference_of(study))
