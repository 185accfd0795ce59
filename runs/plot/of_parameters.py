"""Figures of the hyperparameters of a study by its name, for notebooks and scripts."""

from __future__ import annotations

import plotly.graph_objects as go

from runs.importance import FEWEST
from runs.importance import importance as importance_of
from runs.parameters import FamilyTrials, family_trials
from runs.plot.figures.importance import importance_figure
from runs.plot.figures.parallel import parallel_figure
from runs.plot.palette import LIGHT, Palette
from runs.plot.reading import NothingToDrawError, snapshot_of
from runs.snapshot import Snapshot
from space.families import find_family
from space.quantities import counted


def importance(
    study: str | Snapshot,
    storage: str | None = None,
    *,
    family: str | None = None,
    palette: Palette = LIGHT,
) -> go.Figure:
    """Which hyperparameters matter for accuracy, at equal cost and on the whole; takes seconds.

    Args:
        study: its name, or a snapshot.
        storage: as of `runs.plot.front`.
        family: the name of one; by default the first that the study searches.
        palette: of the theme it is drawn in.

    Raises:
        StorageError: no database there, or no such study in it.
        UnknownFamilyError: no such family.
        NothingToDrawError: too few configurations have finished, or they do not differ.
    """
    found, name = _trials(study, storage, family)
    known = importance_of(found)
    if known is None:
        raise NothingToDrawError(
            f"study {name!r} has {_finished(found)}; importance takes {FEWEST} that differ: "
            "let it run on"
        )
    return importance_figure(known, found.cost, palette=palette)


def parallel(
    study: str | Snapshot,
    storage: str | None = None,
    *,
    family: str | None = None,
    palette: Palette = LIGHT,
) -> go.Figure:
    """Every finished configuration a line across its hyperparameters, cost and accuracy.

    Args and errors as of `importance`; two configurations that differ are enough.
    """
    found, name = _trials(study, storage, family)
    if not found.parameters:
        raise NothingToDrawError(
            f"study {name!r} has {_finished(found)}; lines take two that differ: let it run on"
        )
    return parallel_figure(found, palette=palette)


def _trials(
    study: str | Snapshot, storage: str | None, family: str | None
) -> tuple[FamilyTrials, str]:
    """What is finished of a family, and the study's name."""
    snapshot = snapshot_of(study, storage)
    name = snapshot.study.families[0] if family is None else find_family(family).name
    return family_trials(snapshot, name), snapshot.study.name


def _finished(found: FamilyTrials) -> str:
    return counted(len(found.trials), f"finished {find_family(found.family).label}")
