"""The database, read when it changes and not too often, and shared by all browser tabs."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st

from runs.learnt import Learnt, learnt
from runs.lease import Holder, Watch
from runs.reader import Reading, open_reader
from runs.record import EpochRecord, TrialRecord, WeightsRecord
from runs.snapshot import Snapshot
from runs.storage import parse_storage
from runs.test_readings import all_readings
from runs.weights_folder import weights_folder, weights_in
from space.families import AnyConfig

SECONDS = 2.0
"""How often to look for news."""

Marker = tuple[object, ...]

_WATCH = Watch()
"""One for all browser tabs: a new one need not wait to see who is silent."""


@dataclass(frozen=True)
class _Held:
    """What one browser tab shows."""

    snapshot: Snapshot
    reading: Reading
    """The newest; the snapshot may be of an older one that shows the same."""
    marker: Marker
    next_look: float
    """Not to be read again before, in the seconds of `time.monotonic`."""


def study_names() -> list[str]:
    """The studies of the database, newest first."""
    return _study_names(_storage(), changed_marker())


def latest(study: str, *, follow: bool = True) -> Snapshot:
    """The study, at most `SECONDS` old; the same object as before while there is no news.

    Reading takes no more than a tenth of the time, however many trials there are. Without
    `follow` the study stays as this browser tab has seen it last.

    Raises:
        StorageError: there is no such study, or the database cannot be read.
    """
    held: _Held | None = st.session_state.get("held")
    if held is not None and held.snapshot.study.name != study:
        held = None
    begin = time.monotonic()
    if held is not None and (begin < held.next_look or not follow):
        return held.snapshot
    marker = (*changed_marker(), _lives(held))
    if held is not None and marker == held.marker:
        return held.snapshot
    new, snapshot = _read(_storage(), study, marker, held.reading if held else None)
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
    st.session_state["held"] = _Held(snapshot, new, marker, end + wait)
    return snapshot


def curves(study: str, trials: Sequence[int]) -> list[list[EpochRecord]]:
    """The learning curve of each of the trials as it is now."""
    return _curves(_storage(), study, tuple(trials), changed_marker())


def learnt_of(study: str, trial: TrialRecord) -> Learnt | None:
    """What the trial's network has learnt; None where its weights are not kept.

    Raises:
        WeightsError: their file is missing or damaged.
    """
    record = _weights(_storage(), study, changed_marker()).get(trial.number)
    return None if record is None else _learnt(_storage(), record.digest, record, trial.config)


def changed_marker() -> Marker:
    """Equal to an earlier one if nothing was written in between.

    Of SQLite the files' sizes and times; of a server, which would have to be asked, the clock.
    """
    url = parse_storage(_storage())
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


def _storage() -> str | None:
    return os.environ.get("MIXER_STORAGE")


@st.cache_resource(max_entries=4, show_spinner=False)
def _study_names(storage: str | None, marker: Marker) -> list[str]:
    with open_reader(storage) as store:
        return [study.name for study in store.studies() if study.rates_of is None]


@st.cache_resource(max_entries=4, show_spinner=False)
def _read(
    storage: str | None, study: str, marker: Marker, _before: Reading | None
) -> tuple[Reading, Snapshot]:
    with open_reader(storage) as store:
        new, readings = store.read(study, _before), all_readings(store, study)
    return new, Snapshot(new.study, new.trials, new.holder, readings=readings)


@st.cache_resource(max_entries=32, show_spinner=False)
def _curves(
    storage: str | None, study: str, trials: tuple[int, ...], marker: Marker
) -> list[list[EpochRecord]]:
    with open_reader(storage) as store:
        return [store.epochs(study, trial) for trial in trials]


@st.cache_resource(max_entries=4, show_spinner=False)
def _weights(storage: str | None, study: str, marker: Marker) -> dict[int, WeightsRecord]:
    with open_reader(storage) as store:
        return store.weights(study)


@st.cache_resource(max_entries=16, show_spinner=False)
def _learnt(storage: str | None, digest: str, _record: WeightsRecord, _config: AnyConfig) -> Learnt:
    """The images alone are kept: the weights may be large. A file is named by its digest."""
    return learnt(_config, weights_in(weights_folder(storage), _record).arrays)
