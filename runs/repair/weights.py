"""Whether the weights that a database lists are there, whole, and of trials that can have them."""

from __future__ import annotations

from collections.abc import Sequence

from runs.reader import Reader
from runs.record import State, TrialRecord
from runs.weights_folder import WeightsError, WeightsFolder, size_of
from space.quantities import counted, format_count


def weights_problems(
    store: Reader, study: str, trials: Sequence[TrialRecord], folder: WeightsFolder
) -> list[str]:
    """What is wrong with the weights of a study, a line a trial; reads every file."""
    listed = store.weights(study)
    if listed and not folder.path.is_dir():
        return [
            f"study {study!r}: the weights of {counted(len(listed), 'trial')} are not here, there "
            f"is no folder {folder.path}; name theirs with --weights-dir, or restore it from a copy"
        ]
    others = {trial.number for trial in trials if trial.state is not State.COMPLETE}
    found = []
    for number, record in listed.items():
        if number in others:
            found.append(f"study {study!r}, trial {number}: it has weights and is not complete")
        try:
            folder.read(record)
        except WeightsError as error:
            found.append(f"study {study!r}: {error}")
    return found


def orphans(store: Reader, folder: WeightsFolder) -> list[str]:
    """A sentence on files that no trial of the database refers to; none where there are none."""
    listed = {
        record.digest for study in store.studies() for record in store.weights(study.name).values()
    }
    wanted = {folder.file(digest) for digest in listed}
    files = [file for file in folder.files() if file not in wanted]
    if not files:
        return []
    size = f"{format_count(sum(map(size_of, files)))}B"
    return [
        f"no trial of this database has {counted(len(files), 'file')} of weights ({size}) in "
        f"{folder.path}; `python -m runs gc` lists and removes what is of no use"
    ]
