"""Figures of a study by its name, for notebooks and scripts.

Modules of figures whose names functions have here are imported before these are defined: in
`runs.plot` the name is then the function's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import plotly.graph_objects as go

from runs.convergence import read_unconverged
from runs.plot.front import front_figure
from runs.plot.palette import LIGHT, Palette
from runs.plot.progress import hypervolume_figure
from runs.plot.series import searched_series, stopped_series
from runs.reader import open_reader
from runs.snapshot import Snapshot, read_snapshot
from space.costs import find_cost
from space.errors import MixerSearchError


class NothingToDrawError(MixerSearchError):
    """The study has nothing yet that such a figure could show."""


def front(
    study: str | Snapshot,
    storage: str | None = None,
    *,
    axis: str | None = None,
    limit: float | None = None,
    palette: Palette = LIGHT,
) -> go.Figure:
    """Accuracy against cost: every configuration a point, every front a stair.

    Args:
        study: its name; or a snapshot, in which it is not known whose training had not converged.
        storage: a database URL; by default `MIXER_STORAGE`, else `runs/mixer_search.db` here.
        axis: the name of a cost, such as `params`; by default what the study minimises.
        limit: draws a line there, and marks the most accurate within it.
        palette: of the theme it is drawn in.

    Raises:
        StorageError: no database there, or no such study in it.
        CostError: no such cost.
        NothingToDrawError: no configuration has finished, or none has such a cost.
    """
    if isinstance(study, Snapshot):
        snapshot, marks = study, {}
    else:
        with open_reader(storage) as store:
            snapshot = read_snapshot(store, study)
            marks = read_unconverged(store, snapshot)
    cost = snapshot.study.cost if axis is None else find_cost(axis)
    series = searched_series(snapshot, cost, marks)
    if not any(len(one.points.x) for one in series):
        raise NothingToDrawError(
            f"study {snapshot.study.name!r} has no finished configuration whose {cost.label} are "
            "known; let it run on, or choose another axis"
        )
    stopped = stopped_series(snapshot, cost)
    return front_figure([*series, *stopped], limit=limit, palette=palette)


def hypervolume(
    study: str | Snapshot,
    storage: str | None = None,
    *,
    against: Literal["training_flops", "configurations"] = "training_flops",
    palette: Palette = LIGHT,
) -> go.Figure:
    """The hypervolume of the front as the search went on.

    Args:
        study: its name, or a snapshot.
        storage: as of `front`.
        against: the x-axis: training FLOPs spent, or configurations finished.
        palette: of the theme it is drawn in.

    Raises:
        StorageError: no database there, or no such study in it.
        NothingToDrawError: no configuration of the search has finished.
    """
    snapshot = _read(study, storage)
    history = snapshot.history
    if not len(history.hypervolume):
        raise NothingToDrawError(
            f"study {snapshot.study.name!r} has no finished configuration of its search; "
            "let it run on"
        )
    x, title = history.training_flops, "Training FLOPs spent"
    if against == "configurations":
        x = np.arange(1, len(history.hypervolume) + 1, dtype=np.float64)
        title = "Configurations finished"
    return hypervolume_figure(x, history.hypervolume, title, snapshot.study.cost, palette=palette)


def curves(
    study: str | Snapshot,
    trials: int | Sequence[int] | None = None,
    storage: str | None = None,
    *,
    palette: Palette = LIGHT,
) -> go.Figure:
    """Learning curves: of one trial training and validation, of several validation alone.

    Args:
        study: its name, or a snapshot, whose curves are in the database too.
        trials: the number of one, or of several; by default those of the front.
        storage: as of `front`.
        palette: of the theme it is drawn in.

    Raises:
        StorageError: no database there, no such study in it, or no such trial in the study.
        NothingToDrawError: none of the trials has finished an epoch.
    """
    raise NotImplementedError


def _read(study: str | Snapshot, storage: str | None) -> Snapshot:
    if isinstance(study, Snapshot):
        return study
    with open_reader(storage) as store:
        return read_snapshot(store, study)
