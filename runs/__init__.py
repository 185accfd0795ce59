"""What happened? Studies, trials and learning curves in SQL, read as records or pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
