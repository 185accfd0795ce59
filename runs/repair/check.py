"""A database looked over: what SQLite finds damaged, contradictions, and spools to put back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import sqlalchemy as sa

from runs.database_retry import DatabaseRetry
from runs.foreign_tables import foreign_tables
from runs.lease import LeaseLostError, StudyHeldError
from runs.leased_reader import WAIT
from runs.reader import Reader, open_reader
from runs.record import Origin, State, StudyRecord, TrialRecord
from runs.repair.contradictions import contradictions
from runs.repair.image_results import image_problems
from runs.repair.integrity import bare_connection, damaged_pages, damaged_rows
from runs.repair.restore import pending
from runs.repair.weights import orphans, weights_problems
from runs.rows import digest
from runs.spool import SpoolError, read_spool, spools_of
from runs.storage import (
    AwayError,
    StorageError,
    check_sqlite_file,
    describe,
    exists,
    parse_storage,
    reason,
)
from runs.tables import StudyRow
from runs.weights_folder import weights_folder
from runs.writer import Writer, open_writer


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was found, in sentences."""

    where: str
    """The database as a person is told of it."""
    problems: tuple[str, ...]
    """What is wrong."""
    notes: tuple[str, ...] = ()
    """What may be as it should."""
    repaired: tuple[str, ...] = ()
    """What was wrong, and what was done about it."""
    can_be_repaired: bool = False
    """Whether there is a spool to put back."""


def check(storage: str | None, weights: Path | None = None) -> Report:
    """Looks over a database, weights that are kept and spools that wait for it; writes nothing.

    Args:
        storage: database URL; None for the default.
        weights: the folder with its weights; None for the default.

    Raises:
        StorageError: there is nothing to look at, or it is not ours.
    """
    url = parse_storage(storage)
    if _holds_nothing(storage):
        waiting = any(map(_is_spool, spools_of(storage)))
        return Report(
            where=describe(url), problems=tuple(_waiting(storage)), can_be_repaired=waiting
        )
    damage = damaged_pages(url)
    if damage:
        return Report(where=describe(url), problems=(damage + _or_from_spools(storage),))
    with open_reader(storage) as store:
        problems, notes = damaged_rows(url), list[str]()
        kept = weights_folder(storage, weights)
        for study in reversed(store.studies()):
            trials, illegible = _trials(store, study.name)
            problems += illegible + _contradictions(store, study, trials)
            problems += image_problems(store, study.name, trials)
            problems += weights_problems(store, study.name, trials, kept)
            notes += _notes(study.name, trials)
        notes += orphans(store, kept)
        notes += [stranger] if (stranger := foreign_tables(storage)) else []
        spools = [pending(store, path) for path in spools_of(storage)]
    return Report(
        where=describe(url),
        problems=(*problems, *(spool.sentence for spool in spools)),
        notes=tuple(notes),
        can_be_repaired=any(spool.study is not None for spool in spools),
    )


def repair(
    storage: str | None,
    say: Callable[[str], None] = lambda sentence: None,
    weights: Path | None = None,
) -> Report:
    """As `check`, and puts spools back; does it again where it is called again.

    A database that is gone or empty is made anew where there is a spool to put into it. A spool is
    removed when all it holds is in the database.

    Args:
        storage: database URL; None for the default.
        say: told why one has to wait.
        weights: the folder with its weights; None for the default.

    Raises:
        StudyHeldError: one of the studies is being run.
        LeaseLostError: one of them is run by now, because this process stood still.
        StorageError: there is nothing to look at, it is not ours, or cannot be written.
    """
    url = parse_storage(storage)
    if _holds_nothing(storage):
        if not any(map(_is_spool, spools_of(storage))):
            return check(storage, weights)
        if url.get_backend_name() == "sqlite":
            _make_way(Path(str(url.database)))
    elif damaged_pages(url):
        return check(storage, weights)
    done: list[str] = []
    failed: dict[str, str] = {}
    # Opened, it is made anew where it is gone, or brought to this program's schema
    with open_writer(storage, say) as store:
        for path in filter(_is_spool, spools_of(storage)):
            _put_back(store, path, say, done, failed)
        left = check(storage, weights)
    said = [f"{p}; it cannot be put back: {failed[p]}" if p in failed else p for p in left.problems]
    return replace(left, problems=tuple(said), repaired=tuple(done))


def _put_back(
    store: Writer, path: Path, say: Callable[[str], None], done: list[str], failed: dict[str, str]
) -> None:
    """Puts all of a spool back, or nothing of it."""
    study = pending(store, path).study
    if study is None:
        return
    with store.hold(study.name, DatabaseRetry(seconds=0, say=say), advice=WAIT):
        found = pending(store, path)  # now that no other process writes
        assert found.study is not None, "a study cannot become another one"
        try:
            store.restore_trials(found.study, found.trials, found.epochs, found.kept)
        except (AwayError, LeaseLostError, StudyHeldError):
            raise
        except (StorageError, sa.exc.IntegrityError) as error:
            failed[found.sentence] = reason(error).partition(";")[0]
            return
        path.unlink(missing_ok=True)
        done.append(f"{found.sentence}: put back, and its file removed")


def _trials(store: Reader, study: str) -> tuple[list[TrialRecord], list[str]]:
    """Those that can be read, and what is wrong with the others."""
    try:
        return store.trials(study), []
    except AwayError:
        raise
    except StorageError:  # one of them, so that they are read one by one
        trials, illegible = [], []
        for number in store.identities(study):
            try:
                trials.append(store.trial(study, number))
            except StorageError as error:
                illegible.append(f"study {study!r}, trial {number}: {error}")
        return trials, illegible


def _contradictions(store: Reader, study: StudyRecord, trials: list[TrialRecord]) -> list[str]:
    """What the schema cannot forbid, a line a trial."""
    recipe = study.spec.get("recipe")
    asked = recipe.get("epochs") if isinstance(recipe, dict) else None
    curves = defaultdict(list)
    for epoch in store.epochs(study.name):
        curves[epoch.trial].append(epoch)
    identities = store.identities(study.name)
    found = []
    for trial in trials:
        wrong = contradictions(trial, curves[trial.number], asked if type(asked) is int else None)
        if identities[trial.number] != (trial.family, digest(trial.config)):
            wrong.append("its configuration is not the one that was trained")
        if wrong:
            found.append(f"study {study.name!r}, trial {trial.number}: {'; '.join(wrong)}")
    return found


def _notes(name: str, trials: list[TrialRecord]) -> list[str]:
    notes = []
    running = [trial for trial in trials if trial.state is State.RUNNING]
    for what, origins, command in (
        ("trials", {Origin.SEARCH, Origin.BASELINE}, "its command"),
        ("trials with fresh seeds", {Origin.CONFIRMATION}, "the same search.confirm"),
        ("trials that start from given weights", {Origin.FINETUNE}, "the same search.finetune"),
    ):
        if count := sum(trial.origin in origins for trial in running):
            notes.append(
                f"study {name!r}: {what} running: {count}; if no process runs the study, {command} "
                "goes on with them"
            )
    if trials and len(trials) <= trials[-1].number:
        missing = trials[-1].number + 1 - len(trials)
        notes.append(f"study {name!r}: numbers without a trial: {missing}")
    return notes


def _holds_nothing(storage: str | None) -> bool:
    """Whether the database is gone or empty, and a spool waits for it.

    Raises:
        StorageError: no spool waits for it, or it is not ours.
    """
    url, spools = parse_storage(storage), spools_of(storage)
    if url.get_backend_name() == "sqlite":
        path = Path(str(url.database))
        if exists(path) and (not spools or path.stat().st_size > 0):
            try:
                check_sqlite_file(path)
            except StorageError as error:
                if not spools:
                    raise
                raise StorageError(f"{error}{_or_from_spools(storage)}") from None
        elif spools:
            return True
        else:
            raise StorageError(
                f"storage {path} does not exist, and no spool waits for it; "
                "name the database with --storage"
            )
    if not spools or damaged_pages(url):
        return False
    with bare_connection(url) as connection:
        return not sa.inspect(connection).has_table(StudyRow.__tablename__)


def _or_from_spools(storage: str | None) -> str:
    """The other way out for a file that is of no use, where there are spools: a sentence's end."""
    spools = spools_of(storage)
    if not spools:
        return ""
    return (
        f"; or move the file away, and --repair makes another of the spools in {spools[0].parent}"
    )


def _waiting(storage: str | None) -> Iterator[str]:
    for path in spools_of(storage):
        try:
            name = read_spool(path).study.name
            yield f"the database is gone or empty, and spool {path} of study {name!r} waits"
        except SpoolError as error:
            yield str(error)


def _is_spool(path: Path) -> bool:
    try:
        read_spool(path)
    except SpoolError:
        return False
    return True


def _make_way(path: Path) -> None:
    """For a new file: the log of the one that was there would be taken for the new one's."""
    try:
        if exists(path) and path.stat().st_size == 0:
            path.unlink(missing_ok=True)
        path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
        for there in (path, path.with_name(f"{path.name}-wal")):
            if exists(there):
                there.replace(there.with_name(f"{there.name}.old"))
    except OSError as error:
        raise StorageError(
            f"storage {path} cannot be made anew ({error.strerror}); make its folder writable"
        ) from None
