"""Several seeds of one configuration: a trial each, compared by their mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from runs.record import Origin, State, TrialRecord
from space.config import Config


def by_configuration(
    trials: Sequence[TrialRecord],
) -> dict[tuple[Config, Origin], list[TrialRecord]]:
    """The trials of each configuration and origin, in the order of their numbers, refused ones
    left out."""
    groups: dict[tuple[Config, Origin], list[TrialRecord]] = {}
    for trial in sorted(trials, key=lambda t: t.number):
        if trial.state is not State.REFUSED:
            groups.setdefault((trial.config, trial.origin), []).append(trial)
    return groups


def over_seeds(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """One finished record a configuration and origin, in the order of their numbers.

    Of several seeds it is the first trial with the mean accuracy and loss over all of them, ended
    when the last of them had. A configuration of which a seed failed, was pruned or still runs is
    left out: a mean over the survivors would flatter it. The only seed of a configuration is
    given back as it is.
    """
    groups = by_configuration(trials).values()
    return [_mean(group) for group in groups if all(t.state is State.COMPLETE for t in group)]


def mean_curve(curves: Sequence[Sequence[float]]) -> list[float]:
    """The mean of several seeds' curves, as far as all of them go."""
    return [fmean(values) for values in zip(*curves, strict=False)]


def behind(trials: Sequence[TrialRecord], record: TrialRecord) -> list[TrialRecord]:
    """The trials whose mean a record is; a trial as it was recorded is alone behind itself."""
    seeds = by_configuration(trials).get((record.config, record.origin), [record])
    return [record] if record in seeds else seeds


def _mean(seeds: Sequence[TrialRecord]) -> TrialRecord:
    """Of the finished seeds of one configuration."""
    if len(seeds) == 1:
        return seeds[0]
    losses = [t.loss for t in seeds if t.loss is not None]
    ends = [t.finished_at for t in seeds if t.finished_at is not None]
    return replace(
        seeds[0],
        accuracy=fmean(t.accuracy for t in seeds if t.accuracy is not None),
        loss=fmean(losses) if len(losses) == len(seeds) else None,
        finished_at=max(ends, default=None),
    )
