"""The results in a spool, put back into a database: any number of times, and none is lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from runs.reader import Reader, UnknownStudyError
from runs.record import EpochRecord, KeptResults, State, StudyRecord, TrialRecord
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
    kept: KeptResults = field(default_factory=KeptResults)
    """Of its trials, and of those that are here."""


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
            trials, epochs, kept = spool.trials, spool.epochs, spool.kept
        else:
            if replace(there, created_at=spool.study.created_at) != spool.study:
                return Pending(
                    sentence=f"spool {path} is of another study {name!r} than the one here; "
                    "put it back into the database it was written for, or move it away"
                )
            trials, epochs, kept = _missing(store, spool)
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
    elif kept != KeptResults():
        sentence = f"spool {path} holds {_in_words(kept)} of study {name!r} that are not here"
    return Pending(sentence=sentence, study=spool.study, trials=trials, epochs=epochs, kept=kept)


def _missing(
    store: Reader, spool: Spool
) -> tuple[tuple[TrialRecord, ...], tuple[EpochRecord, ...], KeptResults]:
    """What the database lacks; a trial whose number another one has there gets the next."""
    name = spool.study.name
    there = store.trials(name)
    known = {_tried(trial): trial for trial in there}
    numbers = {trial.number for trial in there}
    lengths = {number: len(curve) for number, curve in store.curves(name).items()}
    trials: list[TrialRecord] = []
    epochs: list[EpochRecord] = []
    renumbered: dict[int, int] = {}
    for trial in spool.trials:
        curve = [epoch for epoch in spool.epochs if epoch.trial == trial.number]
        row, number = known.get(_tried(trial)), trial.number
        if row is not None:
            number = row.number
        elif number in numbers:
            number = max(*numbers, *(t.number for t in spool.trials)) + 1
        renumbered[trial.number] = number
        if row and _says_more(trial, len(curve)) <= _says_more(row, lengths.get(row.number, 0)):
            continue
        numbers.add(number)
        trials.append(replace(trial, number=number))
        epochs += [replace(epoch, trial=number) for epoch in curve]
    trials = [
        trial if trial.parent is None else replace(trial, parent=renumbered[trial.parent])
        for trial in trials
    ]
    kept = _missing_kept(store.kept_results(name), spool.kept, renumbered)
    return tuple(trials), tuple(epochs), kept


def _missing_kept(
    there: KeptResults, spooled: KeptResults, renumbered: Mapping[int, int]
) -> KeptResults:
    """What the database lacks of what is kept besides trials, by the trials' numbers there."""
    weights = {record.trial for record in there.weights}
    results = {(record.trial, record.split) for record in there.image_results}
    began = {confirmation.began_at for confirmation in there.confirmations}
    of_trials = [
        replace(reading, trial=None if reading.trial is None else renumbered[reading.trial])
        for reading in spooled.readings
    ]
    notes = [
        replace(note, trial=None if note.trial is None else renumbered[note.trial])
        for note in spooled.notes
    ]
    return KeptResults(
        weights=tuple(
            replace(record, trial=number)
            for record in spooled.weights
            if (number := renumbered[record.trial]) not in weights
        ),
        image_results=tuple(
            replace(record, trial=number)
            for record in spooled.image_results
            if ((number := renumbered[record.trial]), record.split) not in results
        ),
        confirmations=tuple(
            replace(record, number=len(there.confirmations) + i)
            for i, record in enumerate(
                record for record in spooled.confirmations if record.began_at not in began
            )
        ),
        readings=tuple(reading for reading in of_trials if reading not in there.readings),
        notes=tuple(note for note in notes if note not in there.notes),
    )


def _in_words(kept: KeptResults) -> str:
    """How many there are of each kind."""
    kinds = {
        "files of weights": kept.weights,
        "image results": kept.image_results,
        "confirmations": kept.confirmations,
        "readings of test splits": kept.readings,
        "notes": kept.notes,
    }
    return ", ".join(f"{len(records)} {kind}" for kind, records in kinds.items() if records)


def _says_more(trial: TrialRecord, epochs: int) -> tuple[int, int]:
    """Of two records of one trial the greater of these is to be kept."""
    rank = {State.RUNNING: 0, State.FAILED: 1}.get(trial.state, 2)
    return rank, epochs


def _tried(trial: TrialRecord) -> tuple[object, ...]:
    """Equal for two records of one trial, whatever their numbers."""
    if trial.state is State.REFUSED:
        return trial.config, trial.seed, trial.started_at
    return trial.config, trial.seed
