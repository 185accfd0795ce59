"""What a study holds as series of a figure, each in the colour of its family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from runs.convergence import Unconverged
from runs.plot.figures.front import Series
from runs.points import points_of
from runs.record import TrialRecord
from runs.snapshot import Snapshot
from space.costs import Cost
from space.families import FAMILIES, find_family
from space.family import Family


def searched_series(
    snapshot: Snapshot, axis: Cost, marks: Mapping[int, Unconverged]
) -> list[Series]:
    """What was searched first, then what it is compared with, then given ones of its own families,
    where there are."""
    several, searched = snapshot.several, snapshot.study.families
    least = snapshot.study.min_accuracy
    draw = partial(Series, noise=snapshot.noise, unconverged=marks)
    series = [
        draw(name=family.label, color=family.color, points=points_of(found, axis, several, least))
        for family, found in _by_family(snapshot.found, searched)
    ]
    others = [name for name in FAMILIES if name not in searched]
    for family, trials in _by_family(snapshot.given, [*others, *searched]):
        points, is_other = points_of(trials, axis, several), family.name in others
        label = family.label if is_other else f"{family.label} baseline"
        if points.trials:
            series.append(draw(name=label, color=family.color, points=points, has_front=is_other))
    return series


def _by_family(
    trials: Sequence[TrialRecord], names: Sequence[str]
) -> list[tuple[Family, list[TrialRecord]]]:
    return [(find_family(name), [t for t in trials if t.family == name]) for name in names]


def stopped_series(snapshot: Snapshot, axis: Cost) -> list[Series]:
    """What was stopped early, if anything was: to look at, not to choose from."""
    searched = snapshot.study.families
    stopped = []
    for family, trials in _by_family(snapshot.stopped, searched):
        points = points_of(trials, axis, snapshot.several)
        label = "Stopped early" if len(searched) == 1 else f"{family.label} stopped early"
        if points.trials:
            stopped.append(
                Series(
                    name=label, color=family.color, points=points, has_front=False, is_stopped=True
                )
            )
    return stopped
