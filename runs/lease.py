"""The lease: one coordinator runs a study, wherever it and the others are.

A row of the database names the process that runs a study. Nothing compares the clocks of two
machines: a holder counts up its row's heartbeats, and a process that wants the study watches
whether they move. Whether a holder on the same machine lives, the system says at once.
"""

from __future__ import annotations

import os
import platform
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import psutil
import sqlalchemy as sa
from sqlalchemy.orm import Session

from runs.storage import StorageError
from runs.tables import LeaseRow

HEARTBEAT_SECONDS = 5.0
DEAD_AFTER_SECONDS = 30.0
"""A holder on another machine whose heartbeats stand still for so long has lost the study."""

_SECONDS_TO_RELEASE = 2.0
"""A user who pressed Ctrl-C waits for it, at most."""

_STARTS_BY_CLOCK = not psutil.LINUX
"""Whether the system tells when a process started by a clock that may have been set since."""

Begin = Callable[[], AbstractContextManager[Session]]
"""Opens a transaction."""


class StudyHeldError(StorageError):
    """Another process runs the study."""


class LeaseLostError(StorageError):
    """Another process has taken the study over: nothing may be written any more."""


@dataclass(frozen=True, kw_only=True)
class Holder:
    """The process that runs a study."""

    token: str
    host: str
    machine: str
    """Equal where process numbers mean the same; empty where that cannot be told."""
    process: int
    process_started: int
    """In hundredths of a second, as `_started`: a process number is used again."""
    since: datetime
    heartbeats: int = field(default=0, compare=False)
    """Counted up while it lives; holders that differ in nothing else are equal."""

    @classmethod
    def this_process(cls) -> Holder:
        """The process that asks, under a token of its own at every call."""
        process = os.getpid()
        return cls(
            token=uuid.uuid4().hex,
            host=platform.node()[:255],
            machine=_machine(),
            process=process,
            process_started=_started(process) or 0,
            since=datetime.now(UTC),
        )

    @property
    def lives(self) -> bool | None:
        """Whether the process is there; None where that cannot be told, as on another machine."""
        if not self.machine or self.machine != _machine():
            return None
        started = _started(self.process)
        if started == self.process_started:
            return True
        is_unclear = _is_hidden(self.process) if started is None else _STARTS_BY_CLOCK
        return None if is_unclear else False

    def __str__(self) -> str:
        since = self.since.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
        return f"process {self.process} on {self.host} since {since}"


class Watch:
    """Whether holders live, for readers: by their process, else by their heartbeats.

    Where a process cannot be looked up, on another machine or where the system hides it, its
    heartbeats are watched, by the watcher's own clock. One it has just begun to watch is taken to
    live.
    """

    def __init__(self) -> None:
        self._moved: dict[str, tuple[int, float]] = {}
        """By token: the most heartbeats seen, and when they were seen first."""

    def saw(self, holder: Holder) -> None:
        """Takes note of its heartbeats, as they were just read."""
        heartbeats, _ = self._moved.get(holder.token, (-1, 0.0))
        if holder.heartbeats > heartbeats:
            self._moved[holder.token] = holder.heartbeats, time.monotonic()

    def silent_seconds(self, holder: Holder) -> float:
        """For how long its heartbeats have stood still; 0 of one that was never seen."""
        _, since = self._moved.get(holder.token, (0, time.monotonic()))
        return time.monotonic() - since

    def lives(self, holder: Holder) -> bool:
        """Whether it does, as far as can be told."""
        if holder.lives is None:
            return self.silent_seconds(holder) <= DEAD_AFTER_SECONDS
        return holder.lives


class Lease:
    """A study held by this process, from `acquire` to `release`.

    Args:
        begin: opens a transaction on the database.
        study: its name.
        say: told why one has to wait.
        advice: what to do where another process runs it.

    Raises:
        StudyHeldError: another process runs the study.
        StorageError: the database does not answer.
    """

    def __init__(self, begin: Begin, study: str, say: Callable[[str], None], advice: str) -> None:
        self.study = study
        self.holder = Holder.this_process()
        self.fencing_token = 0
        """Number of the next transaction under this lease, as far as this process knows."""
        self._begin = begin
        self._acquire(say, advice)
        self._released = threading.Event()
        self._heart = threading.Thread(target=self._beat, name=f"lease of {study}", daemon=True)
        self._heart.start()

    def fence(self, session: Session) -> bool:
        """Opens a transaction of the holder's: counts the token up, so that no other can write too.

        Returns:
            False where this very transaction was committed before, by a try whose answer was lost.

        Raises:
            LeaseLostError: another process holds the study now.
        """
        mine = self._mine(LeaseRow.fencing_token == self.fencing_token)
        if _changed(session, mine.values(fencing_token=self.fencing_token + 1)):
            return True
        there = session.get(LeaseRow, self.study)
        if there is not None and there.holder == self.holder.token:
            return False
        by = f"by {_holder(there)}" if there else "and given up again"
        raise LeaseLostError(
            f"study {self.study!r} was taken over {by} while this process stood still; "
            "what this one had not written yet is dropped, and is trained there"
        )

    def release(self) -> None:
        """Gives the study up, if the database answers; others find out by themselves if not."""
        self._released.set()
        self._heart.join(_SECONDS_TO_RELEASE)

    def _acquire(self, say: Callable[[str], None], advice: str) -> None:
        watched: tuple[str, int] | None = None
        since = time.monotonic()
        while True:
            with self._begin() as session:
                row = session.get(LeaseRow, self.study)
                there = None if row is None else _holder(row)
                heartbeats = 0 if row is None else row.heartbeats
            if there is None:
                with suppress(sa.exc.IntegrityError), self._begin() as session:
                    session.add(LeaseRow(study=self.study, **self._columns()))
                    session.flush()
                    return
                continue  # another one was first
            if there.lives or (watched and watched[0] == there.token and watched[1] != heartbeats):
                raise StudyHeldError(f"study {self.study!r} is being run by {there}; {advice}")
            if watched is None or watched[0] != there.token:
                if there.lives is None:
                    say(
                        f"study {self.study!r} was run by {there}: "
                        f"waiting up to {DEAD_AFTER_SECONDS:.0f} s to see whether it still is"
                    )
                watched, since = (there.token, heartbeats), time.monotonic()
            if there.lives is False or time.monotonic() - since > DEAD_AFTER_SECONDS:
                with self._begin() as session:
                    gone = sa.update(LeaseRow).where(
                        LeaseRow.study == self.study,
                        LeaseRow.holder == there.token,
                        LeaseRow.heartbeats == heartbeats,
                    )
                    if _changed(session, gone.values(**self._columns())):
                        return
                continue  # it moved, or another one was first
            time.sleep(0.5)

    def _columns(self) -> dict[str, object]:
        return {
            "holder": self.holder.token,
            "host": self.holder.host,
            "machine": self.holder.machine,
            "process": self.holder.process,
            "process_started": self.holder.process_started,
            "since": self.holder.since,
            "heartbeats": 0,
            "fencing_token": 0,
        }

    def _mine(self, *more: sa.ColumnElement[bool]) -> sa.Update:
        return sa.update(LeaseRow).where(
            LeaseRow.study == self.study, LeaseRow.holder == self.holder.token, *more
        )

    def _beat(self) -> None:
        """Until it is released; a database that is away misses heartbeats, as it should."""
        while not self._released.wait(HEARTBEAT_SECONDS):
            with suppress(StorageError), self._begin() as session:
                session.execute(self._mine().values(heartbeats=LeaseRow.heartbeats + 1))
        with suppress(StorageError), self._begin() as session:
            session.execute(
                sa.delete(LeaseRow).where(
                    LeaseRow.study == self.study, LeaseRow.holder == self.holder.token
                )
            )


def find_holder(session: Session, study: str) -> Holder | None:
    """The process that holds a study, or held it when it died."""
    row = session.get(LeaseRow, study)
    return None if row is None else _holder(row)


def _holder(row: LeaseRow) -> Holder:
    return Holder(
        token=row.holder,
        host=row.host,
        machine=row.machine,
        process=row.process,
        process_started=row.process_started,
        since=row.since,
        heartbeats=row.heartbeats,
    )


def _changed(session: Session, update: sa.Update) -> bool:
    found = session.execute(update.execution_options(synchronize_session=False))
    return bool(found.rowcount)  # type: ignore[attr-defined]  # an update's result has one


def _machine() -> str:
    """Names the boot and the namespace of process numbers: containers have their own."""
    if psutil.MACOS:  # set anew, its clock gives another name, and the beats have to tell
        name = f"{psutil.boot_time()} {uuid.getnode()}"
    else:
        try:
            boot = Path("/proc/sys/kernel/random/boot_id").read_text()
            name = f"{boot} {os.readlink('/proc/self/ns/pid')}"
        except OSError:
            return ""
    return sha256(name.encode()).hexdigest()


def _started(process: int) -> int | None:
    """When a process of this machine was started; None where it is not there, or a zombie.

    In hundredths of a second: on Linux since the machine's start, which no setting of the clock
    moves (the ticks of `/proc`), elsewhere since 1970.
    """
    try:
        found = psutil.Process(process)
        if found.status() in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}:
            return None
        began: float = found.create_time()
    except (psutil.Error, ValueError):  # a negative number
        return None
    since: float = 0.0 if _STARTS_BY_CLOCK else psutil.boot_time()
    return round(100 * (began - since))


def _is_hidden(process: int) -> bool:
    """Whether a process of somebody else is there that the system does not show to this user."""
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        pass
    return False
