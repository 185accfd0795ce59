"""What happened? Studies, trials and learning curves in SQL, read as records or pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


def frame(study: str, storage: str | None = None) -> pd.DataFrame:
    """The trials of a study as a data frame, one row a trial; see `runs.frames.trials_frame`.

    Args:
        study: the study's name.
        storage: a database URL; by default `MIXER_STORAGE`, else `runs/mixer_search.db` here.

    Raises:
        StorageError: no database there, or no such study in it.
    """
    from runs.frames import trials_frame  # here, so that writers need not load pandas
    from runs.reader import open_reader

    with open_reader(storage) as store:
        record = store.study(study)
        return trials_frame(store.trials(study), record.min_accuracy, record.cost)


def curves(study: str, storage: str | None = None) -> pd.DataFrame:
    """The learning curves of a study, one row an epoch; see `runs.frames.epochs_frame`.

    Raises:
        StorageError: no database there, or no such study in it.
    """
    from runs.frames import epochs_frame
    from runs.reader import open_reader

    with open_reader(storage) as store:
        return epochs_frame(store.epochs(study))


def weights(
    study: str, trial: int, storage: str | None = None, *, folder: Path | None = None
) -> Path:
    """The safetensors file with the weights of a trial, whole; see `runs.weights_folder`.

    Args:
        study: the study's name.
        trial: the trial's number.
        storage: as of `frame`.
        folder: with the weights of that database; by default beside SQLite's file, else
            `runs/weights` here.

    Raises:
        StorageError: no database there, or no such study or trial in it.
        WeightsError: none are kept, or their file is missing or damaged.
    """
    from runs.weights_folder import read_weights

    return read_weights(study, trial, storage, folder=folder).file
