"""Files that are of no use any more, or can be made again: found and removed, never guessed.

Nothing is of no use that a study which is being run may use, that waits in a spool for its
database, or that may belong to another database. What is neither is left, and a note says so.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from runs.checkpoints import checkpoint_name, checkpoint_prefix, keeps_checkpoint
from runs.reader import Reader, open_reader
from runs.record import StudyRecord
from runs.spool import spools_of
from runs.storage import beside, describe, exists, parse_storage
from runs.weights_folder import WeightsFolder, read_facts, size_of, weights_folder
from space.cache_folder import cache_folder
from space.quantities import counted

SECONDS_UNTIL_FORGOTTEN = 3600.0
"""A younger file may be one that a process is about to write, or to list in its database."""

_CHECKPOINT = re.compile(r"([0-9a-f]{12})-(\d+)\.checkpoint(\..*\.tmp)?")
_UNFINISHED = "left unfinished by a process that was killed"


@dataclass(frozen=True, kw_only=True)
class Garbage:
    """A file or folder that can go."""

    kind: str
    """`decoded images`, `compiled programs`, `checkpoint` or `weights`."""
    path: Path
    size_bytes: int
    age_seconds: float
    """Since it was last changed."""
    reason: str
    """Why it can go."""


@dataclass
class Findings:
    """What can go, and in words what was left."""

    garbage: list[Garbage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_garbage(
    storage: str | None = None,
    *,
    checkpoint_dir: Path | None = None,
    weights_dir: Path | None = None,
) -> Findings:
    """Looks through the folders of a database and this user's caches; removes nothing.

    Args:
        storage: database URL; None for the default, which need not be there.
        checkpoint_dir: with its checkpoints; None for the default.
        weights_dir: with its weights; None for the default.

    Raises:
        StorageError: the database that was named is not there, or cannot be read.
    """
    url, found = parse_storage(storage), Findings()
    is_file = url.get_backend_name() == "sqlite"
    if storage is None and is_file and not exists(Path(str(url.database))):
        found.notes.append(
            f"there is no database {describe(url)}: no checkpoints and weights are looked at"
        )
        found.garbage += _caches()
        return found
    with open_reader(storage) as store:
        studies = store.studies()
        held = {s.name: holder for s in studies if (holder := store.holder(s.name))}
        held = {name: holder for name, holder in held.items() if holder.lives is not False}
        for name, holder in held.items():
            found.notes.append(
                f"study {name!r} is being run by {holder}: what it may use, caches too, is left"
            )
        if not held:
            found.garbage += _caches()
        if spools := spools_of(storage):
            found.notes.append(
                f"results wait in {spools[0]}: put them back first (python -m search.check "
                "--repair); until then no checkpoints and weights are looked at"
            )
            return found
        database = _Database(store, studies, set(held))
        checkpoints = (checkpoint_dir or beside(storage, "checkpoints")).absolute()
        _find_checkpoints(database, checkpoints, is_file and checkpoint_dir is None, found)
        weights = weights_folder(storage, weights_dir)
        _find_weights(database, weights, is_file and weights_dir is None, found)
    return found


def remove(garbage: Iterable[Garbage]) -> list[str]:
    """Removes files, and the files in folders.

    Returns:
        What could not be removed, in sentences.
    """
    failed = []
    for item in garbage:
        for file in _files_in(item.path):
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                failed.append(f"{file} cannot be removed ({error.strerror})")
    return failed


class _Database:
    """What has to be known of a database to tell what is of no use to it."""

    def __init__(self, store: Reader, studies: list[StudyRecord], held: set[str]) -> None:
        self.held = held
        self.by_prefix = {checkpoint_prefix(study): study for study in studies}
        self.by_start = {study.created_at.isoformat(): study for study in studies}
        """A study may be renamed."""
        self.checkpoints: set[str] = set()
        """Names of the files that trials may go on from."""
        self.digests: set[str] = set()
        """Of the weights that are kept."""
        for study in studies:
            trials = filter(keeps_checkpoint, store.trials(study.name))
            self.checkpoints |= {checkpoint_name(study, trial.number) for trial in trials}
            self.digests |= {record.digest for record in store.weights(study.name).values()}


def _find_checkpoints(database: _Database, folder: Path, is_own: bool, found: Findings) -> None:
    """Adds checkpoints of trials that ended; of studies that are gone where the folder is own."""
    others = 0
    for path in _entries(folder):
        name = _CHECKPOINT.fullmatch(path.name)
        if name is None or path.name in database.checkpoints:
            continue
        study = database.by_prefix.get(name[1])
        if study and study.name in database.held:
            continue
        if study is None and not is_own:
            others += 1
        elif _age(path) >= SECONDS_UNTIL_FORGOTTEN or (study and not name[3]):
            reason = "its study is gone"
            if study:
                reason = f"trial {name[2]} of study {study.name!r} has ended"
            found.garbage.append(_garbage("checkpoint", path, _UNFINISHED if name[3] else reason))
    if others:
        found.notes.append(_may_be_others(others, folder))


def _find_weights(
    database: _Database, folder: WeightsFolder, is_own: bool, found: Findings
) -> None:
    """Adds weights that no trial refers to; of other databases only where the folder is own."""
    others = young = 0
    for path in folder.files():
        is_whole = path.suffix == ".safetensors"
        if is_whole and path.stem in database.digests:
            continue
        facts = (read_facts(path) if is_whole else None) or {}
        study = database.by_start.get(facts.get("study_began", ""))
        if study and study.name in database.held:
            continue
        if _age(path) < SECONDS_UNTIL_FORGOTTEN:
            young += 1
        elif is_whole and study is None and not is_own:
            others += 1
        else:
            reason = "no trial refers to it"
            if study:
                reason = f"trial {facts.get('trial')} of study {study.name!r} no longer keeps it"
            found.garbage.append(_garbage("weights", path, reason if is_whole else _UNFINISHED))
    if young:
        found.notes.append(
            f"{counted(young, 'file')} in {folder.path} to which no trial refers: left for an "
            "hour, in which a search may list them"
        )
    if others:
        found.notes.append(_may_be_others(others, folder.path))


def _caches() -> Iterator[Garbage]:
    """Of this user, whichever database they served; all are made again when they are needed."""
    for path in _entries(cache_folder()):
        name = path.name.partition(".npz")[0] if path.suffix == ".tmp" else path.stem
        if path.is_dir() and path.name.startswith("compiled-") and any(_files_in(path)):
            yield _garbage("compiled programs", path, "they are compiled again when needed")
        elif path.suffix == ".npz":
            yield _garbage("decoded images", path, "they are decoded again when needed")
        elif name != path.stem and _age(path) >= SECONDS_UNTIL_FORGOTTEN:
            yield _garbage("decoded images", path, _UNFINISHED)


def _garbage(kind: str, path: Path, reason: str) -> Garbage:
    size = sum(map(size_of, _files_in(path)))
    return Garbage(kind=kind, path=path, size_bytes=size, age_seconds=_age(path), reason=reason)


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _files_in(path: Path) -> list[Path]:
    """The files of a folder, or the file itself; a link is a file, wherever it leads."""
    if path.is_symlink() or not path.is_dir():
        return [path]
    return [file for file in path.rglob("*") if file.is_symlink() or not file.is_dir()]


def _age(path: Path) -> float:
    """Seconds since the file, or the newest in the folder, was changed; 0 of one that is gone."""
    changed = [file.lstat().st_mtime for file in _files_in(path) if os.path.lexists(file)]
    return max(0.0, time.time() - max(changed)) if changed else 0.0


def _may_be_others(number: int, folder: Path) -> str:
    return (
        f"{counted(number, 'file')} in {folder} of no study of this database: left, another "
        "database may use that folder too"
    )
