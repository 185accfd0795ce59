"""Figures of a study by its name, for notebooks and scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import plotly.graph_objects as go

from runs.compare_studies import comparable
from runs.confirmed import Confirmed, read_confirmed
from runs.convergence import read_unconverged
from runs.plot.figures.compare import fronts_figure
from runs.plot.figures.confirmed import confirmed_figure, difference_figure
from runs.plot.figures.curves import curves_figure
from runs.plot.figures.front import front_figure
from runs.plot.figures.hypervolume import Against, hypervolume_figure
from runs.plot.figures.series import searched_series, stopped_series
from runs.plot.figures.timeline import timeline_figure
from runs.plot.figures.trials import overlaid_figure
from runs.plot.palette import LIGHT, Palette
from runs.plot.reading import NothingToDrawError, snapshot_of
from runs.reader import open_reader
from runs.side_by_side import suggested, trials_named
from runs.snapshot import Snapshot, read_snapshot
from runs.timeline import thinned
from runs.timeline import timeline as trainings
from space.costs import find_cost
from space.errors import listed
from space.families import family_of


def front(
    study: str | Snapshot,
    storage: str | None = None,
    *,
    axis: str | None = None,
    view: Literal["search", "confirmed"] = "search",
    limit: float | None = None,
    palette: Palette = LIGHT,
) -> go.Figure:
    """Accuracy against cost: every configuration a point, every front a stair.

    Args:
        study: its name; or a snapshot, in which it is not known whose training had not converged.
        storage: a database URL; by default `MIXER_STORAGE`, else `runs/mixer_search.db` here.
        axis: the name of a cost, such as `params`; by default what the study minimises.
        view: what the search saw, or what fresh seeds say, by name and against the study's own cost
            only.
        limit: draws a line there, and marks the most accurate within it.
        palette: of the theme it is drawn in.

    Raises:
        StorageError: no database there, or no such study in it.
        CostError: no such cost.
        ConfirmationError: nothing of the study is confirmed.
        NothingToDrawError: no configuration has finished, or none has such a cost.
    """
    if view == "confirmed":
        return confirmed_figure(_confirmed(study, storage), palette=palette)
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


def difference(
    study: str | Snapshot,
    storage: str | None = None,
    *,
    other: str | None = None,
    palette: Palette = LIGHT,
) -> go.Figure:
    """What the first family of a confirmed study has over another at every cost.

    Args:
        study: its name, or a snapshot, whose confirmation is read from the database too.
        storage: as of `front`.
        other: the group it is compared with, `ViT` or `Mixer baseline`, say; by default the first.
        palette: of the theme it is drawn in.

    Raises:
        StorageError: no database there, or no such study in it.
        ConfirmationError: nothing of the study is confirmed.
        NothingToDrawError: there is no such group to compare with.
    """
    confirmed = _confirmed(study, storage)
    found = {each.families[1]: each for each in confirmed.comparisons}
    if not found or (other is not None and other not in found):
        there = f"there are: {', '.join(found)}" if found else "it has one group alone"
        raise NothingToDrawError(
            f"study {confirmed.study.name!r} has no {other or 'other family'} to compare with; "
            f"{there}"
        )
    chosen = next(iter(found.values())) if other is None else found[other]
    return difference_figure(confirmed, chosen, palette=palette)


def compare(
    studies: Sequence[str | Snapshot],
    storage: str | None = None,
    *,
    axis: str | None = None,
    palette: Palette = LIGHT,
) -> go.Figure:
    """The fronts of several studies in one figure.

    Args:
        studies: their names; or snapshots, which may be of several databases.
        storage: as of `front`.
        axis: the name of a cost; by default what the first study minimises.
        palette: of the theme it is drawn in.

    Raises:
        StorageError: no database there, or no such study in it.
        CostError: no such cost.
        NothingToDrawError: no study was named, or one cannot be compared with the first.
    """
    found: dict[str, Snapshot] = {}
    for study in studies:
        snapshot = snapshot_of(study, storage)
        name = snapshot.study.name
        found[f"{name} ({len(found) + 1})" if name in found else name] = snapshot
    if not found:
        raise NothingToDrawError("no study is named; name two or more")
    for name, reason in comparable(found).left_out.items():
        raise NothingToDrawError(
            f"study {name!r} cannot be compared with {next(iter(found))!r}: {reason}; leave it out"
        )
    cost = next(iter(found.values())).study.cost if axis is None else find_cost(axis)
    return fronts_figure(found, cost, palette=palette)


def hypervolume(
    study: str | Snapshot,
    storage: str | None = None,
    *,
    against: Against = "training_flops",
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
    snapshot = snapshot_of(study, storage)
    history = snapshot.history
    if not len(history.hypervolume):
        raise NothingToDrawError(
            f"study {snapshot.study.name!r} has no finished configuration of its search; "
            "let it run on"
        )
    return hypervolume_figure(history, against, snapshot.study.cost, palette=palette)


def curves(
    study: str | Snapshot,
    trials: int | Sequence[int] | None = None,
    storage: str | None = None,
    *,
    palette: Palette = LIGHT,
) -> go.Figure:
    """Accuracy by epoch: of one trial in training and validation, of up to six in validation.

    Args:
        study: its name, or a snapshot, whose curves are read from the database too.
        trials: the number of one, or of several; by default the cheapest of the front, its knee and
            its most accurate.
        storage: as of `front`.
        palette: of the theme it is drawn in.

    Raises:
        StorageError: no database there, or no such study in it.
        TrialChoiceError: no such trial in the study, or too many to be told apart.
        NothingToDrawError: none of the trials has finished an epoch.
    """
    snapshot = snapshot_of(study, storage)
    if trials is None:
        wanted = suggested(snapshot)
    else:
        numbers = [trials] if isinstance(trials, int) else trials
        wanted = trials_named(snapshot, ", ".join(map(str, numbers)))
    with open_reader(storage) as store:
        epochs = {t.number: store.epochs(snapshot.study.name, t.number) for t in wanted}
    if not any(epochs.values()):
        which = listed([str(number) for number in epochs], 6) or "of it"
        raise NothingToDrawError(
            f"study {snapshot.study.name!r}: no trial {which} has finished an epoch; "
            "let it run on, or name others"
        )
    if len(wanted) > 1:
        return overlaid_figure(
            epochs, "validation_accuracy", "Validation accuracy (%)", scale=100, palette=palette
        )
    [trial] = wanted
    return curves_figure(
        epochs[trial.number],
        {"Training": "train_accuracy", "Validation": "validation_accuracy"},
        "Accuracy (%)",
        color=family_of(trial.config).color,
        scale=100,
        palette=palette,
    )


def timeline(
    study: str | Snapshot, storage: str | None = None, *, palette: Palette = LIGHT
) -> go.Figure:
    """What happened when: the trainings of a study, side by side in lanes.

    Args:
        study: its name, or a snapshot.
        storage: as of `front`.
        palette: of the theme it is drawn in.

    Raises:
        StorageError: no database there, or no such study in it.
        NothingToDrawError: no training has ended.
    """
    snapshot = snapshot_of(study, storage)
    stretches = thinned(trainings(snapshot.trials))
    if not stretches:
        raise NothingToDrawError(
            f"study {snapshot.study.name!r} has no training that has ended; let it run on"
        )
    return timeline_figure(stretches, palette=palette)


def _confirmed(study: str | Snapshot, storage: str | None) -> Confirmed:
    name = study.study.name if isinstance(study, Snapshot) else study
    with open_reader(storage) as store:
        return read_confirmed(store, name)
