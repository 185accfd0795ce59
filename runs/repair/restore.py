"""The results in a spool, put back into a database: any number of times, and none is lost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from runs.reader import Reader, UnknownStudyError
from runs.record import EpochRecord, State, StudyRecord, TrialRecord
from runs.spool import Spool, read_spool
from runs.storage import AwayError, StorageError


@dataclass(frozen=True, kw_only=True)
class Pending:
    """What a spool holds that its database lacks."""

    sentence: str
    study: StudyRecord | None = None
    """Of the spool; None where it cannot be put back."""
    trials: tuple[TrialRecord, ...] = ()
    """With the numbers they get."""
    epochs: tuple[EpochRecord, ...] = ()


def pending(store: Reader, path: Path) -> Pending:
    """Compares a spool with a database that is there; changes nothing.

    Raises:
        AwayError: the database does not answer.
    """
    try:
        spool = read_spool(path)
        name, there = spool.study.name, None
        try:
            there = store.study(name)
        except UnknownStudyError:
            trials, epochs = spool.trials, spool.epochs
        else:
            if replace(there, created_at=spool.study.created_at) != spool.study:
                return Pending(
                    sentence=f"spool {path} is of another study {name!r} than the one here; "
                    "put it back into the database it was written for, or move it away"
                )
            trials, epochs = _missing(store, spool)
    except AwayError:
        raise
    except StorageError as error:
        return Pending(sentence=str(error))
    sentence = f"spool {path} holds nothing that is not here"
    if trials or there is None:
        sentence = (
            f"spool {path} holds {len(trials)} trials of study {name!r} that are not here, "
            "or with less"
        )
    return Pending(sentence=sentence, study=spool.study, trials=trials, epochs=epochs)


def _missing(
    store: Reader, spool: Spool
) -> tuple[tuple[TrialRecord, ...], tuple[EpochRecord, ...]]:
    """What the database lacks; a trial whose number another one has there gets the next."""
    name = spool.study.name
    there = store.trials(name)
    known = {_tried(trial): trial for trial in there}
    numbers = {trial.number for trial in there}
    lengths = {number: len(curve) for number, curve in store.curves(name).items()}
    trials: list[TrialRecord] = []
    epochs: list[EpochRecord] = []
    for trial in spool.trials:
        curve = [epoch for epoch in spool.epochs if epoch.trial == trial.number]
        row = known.get(_tried(trial))
        if row is not None:
            if _says_more(trial, len(curve)) <= _says_more(row, lengths.get(row.number, 0)):
                continue
            trial = replace(trial, number=row.number)
        elif trial.number in numbers:
            trial = replace(trial, number=max(*numbers, *(t.number for t in spool.trials)) + 1)
        numbers.add(trial.number)
        trials.append(trial)
        epochs += [replace(epoch, trial=trial.number) for epoch in curve]
    return tuple(trials), tuple(epochs)


def _says_more(trial: TrialRecord, epochs: int) -> tuple[int, int]:
    """Of two records of one trial the greater of these is to be kept."""
    rank = {State.RUNNING: 0, State.FAILED: 1}.get(trial.state, 2)
    return rank, epochs


def _tried(trial: TrialRecord) -> tuple[object, ...]:
    """Equal for two records of one trial, whatever their numbers."""
    if trial.state is State.REFUSED:
        return trial.config, trial.seed, trial.started_at
    return trial.config, trial.seed
