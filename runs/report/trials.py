"""A few trials of the front, as a section of a report: how they learnt, and what the best has."""

from __future__ import annotations

from runs import learnt_words
from runs.learnt import Tiles, learnt
from runs.plot.figures.learnt import tiles_figure
from runs.plot.figures.trials import overlaid_figure
from runs.reader import Reader
from runs.record import TrialRecord
from runs.report.section import Figure, Section
from runs.side_by_side import suggested
from runs.snapshot import Snapshot
from runs.weights_folder import WeightsError, weights_folder, weights_in


def trials_section(store: Reader, snapshot: Snapshot, storage: str | None) -> list[Section]:
    """Learning curves of the front's ends and knee, and what the most accurate trial of the front
    whose weights are kept has learnt; none before there is a front.

    Args:
        store: the database.
        snapshot: of the study.
        storage: the database as it was named, beside which weights lie; None for the default.
    """
    parts = [*_curves(store, snapshot), *_learnt(store, snapshot, storage)]
    return [Section(title="Trials of the front", parts=parts)] if parts else []


def _curves(store: Reader, snapshot: Snapshot) -> list[Figure]:
    wanted = suggested(snapshot)
    epochs = {t.number: store.epochs(snapshot.study.name, t.number) for t in wanted}
    if not any(epochs.values()):
        return []
    named = ", ".join(f"trial {t.number} is {t.label}" for t in wanted)
    caption = (
        f"After each epoch, on the validation split; the number at a line's end is the trial's: "
        f"{named}."
    )
    figure = overlaid_figure(epochs, "validation_accuracy", "Validation accuracy (%)", scale=100)
    return [Figure(figure=figure, caption=caption)]


def _learnt(store: Reader, snapshot: Snapshot, storage: str | None) -> list[Figure]:
    """Nothing where no weights are kept, or their file is not where the database says."""
    kept = store.weights(snapshot.study.name)
    trial = max((t for t in snapshot.front if t.number in kept), key=_accuracy, default=None)
    if trial is None:
        return []
    try:
        weights = weights_in(weights_folder(storage), kept[trial.number])
    except WeightsError:
        return []  # of a database that was copied without its weights the rest is worth a report
    found = learnt(trial.config, weights.arrays)
    of = f"Trial {trial.number}, {trial.label}."
    parts = []
    for tiles in found.token_mixing[:1]:
        parts.append(_drawn(tiles, f"{of} {learnt_words.token_mixing_words(tiles)}"))
    if found.stem is not None:
        parts.append(_drawn(found.stem, f"{of} {learnt_words.stem_words(found.stem)}"))
    if found.positions is not None:
        parts.append(_drawn(found.positions, f"{of} {learnt_words.POSITIONS}"))
    return parts


def _drawn(tiles: Tiles, caption: str) -> Figure:
    return Figure(figure=tiles_figure(tiles), caption=caption)


def _accuracy(trial: TrialRecord) -> float:
    return trial.accuracy or 0.0
