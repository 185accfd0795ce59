"""The database, read when it changes and not too often, and shared by all browser tabs."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st

from runs.confirmed import Confirmed, find_confirmed, of_kind
from runs.lease import Holder, Watch
from runs.rates import TriedRate, read_rates
from runs.reader import Reading, open_reader
from runs.record import ConfirmationRecord, EpochRecord
from runs.snapshot import Snapshot
from runs.storage import parse_storage
from runs.study_kind import may_search
from runs.test_readings import all_readings

SECONDS = 2.0
"""How often to look for news."""

_MOST_HELD = 12
"""Studies that a browser tab holds: those compared, and the one that is looked at."""

Marker = tuple[object, ...]

_WATCH = Watch()
"""One for all browser tabs: a new one need not wait to see who is silent."""


@dataclass(frozen=True)
class _Held:
    """What one browser tab shows of a study."""

    snapshot: Snapshot
    reading: Reading
    """The newest; the snapshot may be of an older one that shows the same."""
    marker: Marker
    next_look: float
    """Not to be read again before, in the seconds of `time.monotonic`."""


def own_storage() -> str | None:
    """The database as it was named to the dashboard; None for the default."""
    return os.environ.get("MIXER_STORAGE")


def study_names(storage: str | None = None) -> list[str]:
    """The studies of the dashboard's database, or of another one, newest first.

    Raises:
        StorageError: the database cannot be read.
    """
    return list(studies(storage))


def studies(storage: str | None = None) -> dict[str, bool]:
    """The same, with whether each searches, as far as its record tells."""
    return _studies(storage or own_storage(), changed_marker(storage))


def latest(study: str, storage: str | None = None, *, follow: bool = True) -> Snapshot:
    """The study, at most `SECONDS` old; the same object as before while there is no news.

    Reading takes no more than a tenth of the time, however many trials there are. Without
    `follow` the study stays as this browser tab has seen it last.

    Args:
        study: its name.
        storage: the database; None for the dashboard's own.
        follow: whether to look for news.

    Raises:
        StorageError: there is no such study, or the database cannot be read.
    """
    storage = storage or own_storage()
    tab: dict[tuple[str | None, str], _Held] = st.session_state.setdefault("held", {})
    held = tab.get((storage, study))
    begin = time.monotonic()
    if held is not None and (begin < held.next_look or not follow):
        return held.snapshot
    marker = (*changed_marker(storage), _lives(held))
    if held is not None and marker == held.marker:
        return held.snapshot
    new, snapshot = _read(storage, study, marker, held.reading if held else None)
    is_silent = False
    if new.holder:
        _WATCH.saw(new.holder)
        is_silent = new.holder.lives is None and not _WATCH.lives(new.holder)
    if snapshot.is_silent != is_silent:
        snapshot = replace(snapshot, is_silent=is_silent)
    if held is not None and snapshot.news == held.snapshot.news:
        snapshot = held.snapshot
    end = time.monotonic()
    wait = max(SECONDS, 10 * (end - begin))
    tab.pop((storage, study), None)  # to the end: what was read longest ago goes first
    tab[storage, study] = _Held(snapshot, new, marker, end + wait)
    while len(tab) > _MOST_HELD:
        tab.pop(next(iter(tab)))
    return snapshot


def curves(study: str, trials: Sequence[int]) -> list[list[EpochRecord]]:
    """The learning curve of each of the trials as it is now."""
    return _curves(own_storage(), study, tuple(trials), changed_marker())


def rates(snapshot: Snapshot) -> list[TriedRate]:
    """The learning rates tried for the study, as they are now."""
    if not snapshot.study.spec.get("rate_studies"):
        return []
    return _rates(own_storage(), snapshot.study.name, changed_marker())


def confirmation(snapshot: Snapshot) -> ConfirmationRecord | None:
    """The newest confirmation of the study's front, finished or not; None where there is none."""
    return _confirmation(own_storage(), snapshot.study.name, _confirmed_so_far(snapshot))


def confirmed(snapshot: Snapshot, storage: str | None = None) -> Confirmed | None:
    """What fresh seeds say of the study's front; None where none or one has ended yet.

    Read again when a training with a fresh seed has ended or the test split was read.

    Args:
        snapshot: of the study.
        storage: its database; None for the dashboard's own.

    Raises:
        StorageError: the database cannot be read.
    """
    return _confirmed(storage or own_storage(), snapshot.study.name, _confirmed_so_far(snapshot))


def _confirmed_so_far(snapshot: Snapshot) -> Marker:
    states = tuple((t.number, t.state) for t in snapshot.confirming)
    return snapshot.study.created_at, hash(states), len(snapshot.readings)


def changed_marker(storage: str | None = None) -> Marker:
    """Equal to an earlier one if nothing was written in between to the dashboard's database, or to
    another one.

    Of SQLite the files' sizes and times; of a server, which would have to be asked, the clock.
    """
    url = parse_storage(storage or own_storage())
    if url.get_backend_name() != "sqlite":
        return (time.monotonic() // max(SECONDS, 0.1),)
    return tuple(_stamp(Path(f"{url.database}{suffix}")) for suffix in ("", "-wal"))


def silent_seconds(holder: Holder) -> float:
    """Seconds since the last heartbeat of a study's coordinator that this program saw."""
    return _WATCH.silent_seconds(holder)


def _lives(held: _Held | None) -> bool | None:
    """Whether who ran the study still does: one that was killed writes nothing."""
    holder = held.reading.holder if held else None
    return _WATCH.lives(holder) if holder else None


def _stamp(path: Path) -> tuple[int, int] | None:
    """None for the empty write-ahead log too: a reader makes one and takes it away."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns) if found.st_size else None


@st.cache_resource(max_entries=16, show_spinner=False)
def _studies(storage: str | None, marker: Marker) -> dict[str, bool]:
    with open_reader(storage) as store:
        return {s.name: may_search(s) for s in store.studies() if s.rates_of is None}


@st.cache_resource(max_entries=16, show_spinner=False)
def _read(
    storage: str | None, study: str, marker: Marker, _before: Reading | None
) -> tuple[Reading, Snapshot]:
    with open_reader(storage) as store:
        new, readings = store.read(study, _before), all_readings(store, study)
        notes = store.notes(study)
    return new, Snapshot(new.study, new.trials, new.holder, readings=readings, notes=notes)


@st.cache_resource(max_entries=32, show_spinner=False)
def _curves(
    storage: str | None, study: str, trials: tuple[int, ...], marker: Marker
) -> list[list[EpochRecord]]:
    with open_reader(storage) as store:
        return [store.epochs(study, trial) for trial in trials]


@st.cache_resource(max_entries=4, show_spinner=False)
def _rates(storage: str | None, study: str, marker: Marker) -> list[TriedRate]:
    with open_reader(storage) as store:
        return read_rates(store, store.study(study))


@st.cache_resource(max_entries=4, show_spinner=False)
def _confirmation(storage: str | None, study: str, so_far: Marker) -> ConfirmationRecord | None:
    with open_reader(storage) as store:
        kept = of_kind(store, study, "front")
    return kept[-1] if kept else None


@st.cache_resource(max_entries=16, show_spinner=False)
def _confirmed(storage: str | None, study: str, so_far: Marker) -> Confirmed | None:
    with open_reader(storage) as store:
        return find_confirmed(store, study)
