"""A study is deleted with all that is its own; what was read of a test split stays counted."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from runs import kept_rows
from runs.checkpoints import checkpoint_prefix
from runs.rate_studies import check_is_whole, rate_studies_of
from runs.reader import Reader
from runs.record import StudyRecord
from runs.spool import refuse_spooled
from runs.storage import beside
from runs.tables import CostRow, EpochRow, ReadingRow, StudyRow, TrialRow, WeightsRow
from runs.weights_folder import WeightsFolder, size_of
from runs.writer import Writer


@dataclass(frozen=True, kw_only=True)
class Belongings:
    """What goes with a study."""

    studies: tuple[StudyRecord, ...]
    """The study, and those that found its learning rates."""
    trials: int
    """Of them all, as the following."""
    epochs: int
    confirmations: int
    notes: int
    readings: int
    """Of test splits: they stay, for no study."""
    weights: tuple[Path, ...]
    """Files that trials of no other study have."""
    checkpoints: tuple[Path, ...]

    @property
    def size_bytes(self) -> int:
        """Of the files."""
        return sum(map(size_of, (*self.weights, *self.checkpoints)))


def belongings_of(
    store: Reader, study: str, folder: WeightsFolder, checkpoints: Path
) -> Belongings:
    """What `delete_study` would delete.

    Raises:
        UnknownStudyError: there is no such study.
        StorageError: it belongs to another study.
    """
    check_is_whole(store, study, "delete")
    studies = (store.study(study), *rate_studies_of(store, study))
    counts = [store.counts(one.name) for one in studies]
    files = [folder.file(digest) for digest in store.own_digests([one.name for one in studies])]
    prefixes = [checkpoint_prefix(one) for one in studies]
    return Belongings(
        studies=studies,
        trials=sum(one.trials for one in counts),
        epochs=sum(one.epochs for one in counts),
        confirmations=sum(one.confirmations for one in counts),
        notes=sum(one.notes for one in counts),
        readings=sum(one.readings for one in counts),
        weights=tuple(file for file in files if file.exists()),
        checkpoints=tuple(f for p in prefixes for f in sorted(checkpoints.glob(f"{p}-*"))),
    )


def delete_study(
    store: Writer,
    study: str,
    *,
    storage: str | None,
    folder: WeightsFolder,
    checkpoints: Path | None = None,
    say: Callable[[str], None] = lambda sentence: None,
) -> Belongings:
    """Deletes a study, the studies that found its learning rates, and then their files.

    Its rows go in one transaction and the files after them: a process that is killed leaves all,
    or files that `python -m runs gc` lists. Readings of a test split stay, for no study: how often
    the split was read does not depend on what is kept.

    Args:
        store: the database.
        study: its name.
        storage: the URL of the database; spools lie beside it.
        folder: with the weights.
        checkpoints: the folder with the checkpoints; None for the one beside the database.
        say: told why one has to wait.

    Returns:
        What it took with it.

    Raises:
        UnknownStudyError: there is no such study.
        StorageError: it belongs to another study.
        SpoolError: results of one of them wait to be put back.
        StudyHeldError: a process runs one of them.
    """
    checkpoints = checkpoints or beside(storage, "checkpoints").absolute()
    with store.leases([study], say) as mine:
        found = belongings_of(store, study, folder, checkpoints)
        names = [one.name for one in found.studies]
        for name in names:
            refuse_spooled(storage, name)
        with store.leases(names[1:], say) as theirs:
            unreferenced = store.change(
                [*mine, *theirs],
                lambda session: [d for name in names for d in _delete_rows(session, name)],
            )
    folder.remove(unreferenced)
    for file in found.checkpoints:
        with suppress(OSError):
            file.unlink(missing_ok=True)
    return found


def _delete_rows(session: Session, name: str) -> list[str]:
    """Digests of the weights that no trial has any more."""
    study_id = session.scalars(sa.select(StudyRow.id).where(StudyRow.name == name)).one()
    of_study = sa.select(TrialRow.id).where(TrialRow.study_id == study_id)
    for row in session.scalars(sa.select(ReadingRow).where(ReadingRow.study_id == study_id)):
        row.study_id = row.trial = None
        row.purpose = f"{row.purpose[:100]} of study {name[:60]!r}, since deleted"
    weights = kept_rows.weights_of(session, study_id)
    mine = sa.select(TrialRow).where(
        TrialRow.study_id == study_id, TrialRow.id.in_(sa.select(WeightsRow.trial_id))
    )
    keys = {row.number: row.id for row in session.scalars(mine)}
    digests = kept_rows.put_weights(session, keys, [], {kept.trial for kept in weights})
    for row_type in (EpochRow, CostRow):
        session.execute(sa.delete(row_type).where(row_type.trial_id.in_(of_study)))
    session.execute(sa.delete(TrialRow).where(TrialRow.study_id == study_id))
    session.execute(sa.delete(StudyRow).where(StudyRow.id == study_id))
    return digests
