"""Who trains: processes, of which each has a device to itself.

On a CPU a small network keeps one core busier than two: several processes, each with its share of
the cores, finish more trials an hour than one process with all of them. Whoever coordinates never
trains: it can wait for several, kill what hangs, and end at once when it is told to.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

from runs.record import Failure
from search.protocol import (
    Alive,
    Announcement,
    Broken,
    Bug,
    Decision,
    Event,
    Idle,
    Interruption,
    Lost,
    Ready,
    Refusal,
    Setup,
    TrialRequest,
)
from search.spec.recipe import Recipe
from search.train.devices import DeviceError
from search.train.machine import count_accelerators, num_cores, share
from search.workers.spawned import WorkerProcess
from space.config import Config
from space.errors import MixerSearchError
from space.quantities import format_seconds, write_duration

if TYPE_CHECKING:
    from search.data import ImageData
    from search.protocol import Workers

_SPAWN = get_context("spawn")  # a fork of a process with JAX's threads hangs
_SECONDS_TO_GO = 5.0
"""In which a process whose pipe is closed is gone."""
_SECONDS_TO_KEEP = 8.0
"""What is left of an epoch, and its checkpoint, when the study is interrupted."""
_SECONDS_BETWEEN_LOOKS = 1.0
"""At what is silent or takes too long."""


_SECONDS_TO_START = 300.0
"""In which a process has imported JAX, and has its device and the images on it."""


class WorkerError(RuntimeError):
    """An unexpected exception in a worker's process; the message is its traceback there."""


class WorkerStartError(MixerSearchError):
    """A worker's process did not become ready, and did not say why."""


@contextmanager
def open_workers(
    count: int | None,
    device_kind: str,
    *,
    per_device: int = 1,
    trial_seconds: float | None = None,
) -> Iterator[Callable[[ImageData], Workers]]:
    """Workers, once they are given images: processes that start at once, while those are read.

    Args:
        count: how many; None for `per_device` an accelerator.
        device_kind: as `search.train.devices.choose` takes it.
        per_device: how many share an accelerator, its memory divided; a CPU is shared by all.
        trial_seconds: a trial that takes longer is given up; None for no limit.

    Raises:
        DeviceError: there are not so many devices of that kind, or fewer cores; or they cannot
            be shared.
        WorkerError: a worker had an unexpected exception as it started.
        WorkerStartError: a worker ended, or hung, as it started.
    """
    if device_kind == "tpu" and per_device > 1:
        raise DeviceError(
            f"--workers-per-device {per_device}: a TPU chip belongs to one process; leave it out"
        )
    asked = f"--workers {count}"
    if count is None:
        count = per_device * count_accelerators(device_kind)
        asked = f"--workers-per-device {per_device}, {count} workers in all"
    if count > num_cores():
        raise DeviceError(
            f"{asked}: there are {num_cores()} processor cores; ask for at most that many"
        )
    processes = Processes(
        count=count,
        device_kind=device_kind,
        per_device=per_device,
        trial_seconds=trial_seconds,
    )
    try:
        yield processes.give
    finally:
        processes.close()


@dataclass
class _Seat:
    """A worker's place, whichever process has it."""

    process: BaseProcess
    pipe: Connection
    is_ready: bool = False
    silent_seconds: float = 0.0
    """Since it gave a sign of life."""
    busy_seconds: float | None = None
    """Since it was given what it trains; None where it has nothing to do."""


class Processes:
    """Workers, a spawned process each; one that dies, or freezes, is replaced.

    They start at once, which takes seconds, and train when they have been given images. Each sees
    one accelerator, of which it may share the memory with others, or has its share of the
    processor's cores and memory.

    Args:
        count: how many workers.
        device_kind: as `search.train.devices.choose` takes it.
        per_device: how many share an accelerator.
        trial_seconds: what trains longer is killed; None for no limit.
        silent_seconds: a process that gives no sign of life for so long is killed.
        seconds_to_start: a process that is not ready after so long is given up.
        work: what a process does with its end of a pipe, until it is killed; can be pickled.
    """

    def __init__(
        self,
        *,
        count: int,
        device_kind: str,
        per_device: int = 1,
        trial_seconds: float | None = None,
        silent_seconds: float = 60.0,
        seconds_to_start: float = _SECONDS_TO_START,
        work: Callable[[Connection], None] | None = None,
    ) -> None:
        self.count = count
        self._work = work or _work
        self._device_kind = device_kind
        self._per_device = per_device
        self._trial_seconds = trial_seconds
        self._silent_seconds = silent_seconds
        self._setup: Setup | None = None
        self._turn = 0
        self._looked_at = time.monotonic()
        self._seconds_to_start = seconds_to_start
        self._seats = [self._spawn(worker) for worker in range(count)]

    def give(self, images: ImageData) -> Processes:
        """Has every worker put the images on its device, and waits until they have.

        Raises:
            DeviceError: there is no such device, or not one for every worker.
            WorkerError: a worker had an unexpected exception as it started.
            WorkerStartError: a worker ended, or hung, as it started.
        """
        self._setup = Setup(images, self._device_kind, sharers=self.count)
        for worker in range(self.count):
            self._set_up(worker)
        ready = [self._ready(worker) for worker in range(self.count)]
        _check_devices(ready, self._per_device)
        self.surroundings = ready[0].surroundings
        return self

    def announce(self, worker: int, config: Config, recipe: Recipe, num_seeds: int) -> None:
        """Has a worker compile in the background."""
        self._send(worker, Announcement(config, recipe, num_seeds))

    def start(self, worker: int, request: TrialRequest) -> None:
        """Has a worker train."""
        self._seats[worker].busy_seconds = 0.0
        self._send(worker, request)

    def decide(self, worker: int, goes_on: bool) -> None:
        """Tells a worker that waits at a rung."""
        self._send(worker, Decision(goes_on))

    def next(self) -> tuple[int, Event | Idle | Lost]:
        """Waits for the next event of any worker.

        Raises:
            WorkerError: a worker had an unexpected exception.
            WorkerStartError: a worker died, and so did those in its place.
        """
        while True:
            ready = wait([seat.pipe for seat in self._seats], timeout=_SECONDS_BETWEEN_LOOKS)
            self._let_time_pass()
            for worker in [*range(self._turn, self.count), *range(self._turn)]:
                seat = self._seats[worker]
                self._turn = (worker + 1) % self.count  # whoever tells much keeps nobody waiting
                if self._trial_seconds and (seat.busy_seconds or 0.0) > self._trial_seconds:
                    seat.process.kill()
                    limit = write_duration(self._trial_seconds)
                    why = f"it took longer than {limit} (--trial-timeout)"
                    ended = self._replace(worker, why)
                    return worker, Lost(ended, Failure.TIMEOUT, self._trial_seconds)
                if seat.pipe in ready:
                    told = self._hear(worker)
                    if told is not None:
                        return worker, told
                elif seat.silent_seconds > self._silent_seconds:
                    seat.process.kill()
                    why = f"it gave no sign of life for {self._silent_seconds:.0f} s"
                    return worker, Lost(self._replace(worker, why))

    def interrupt(self) -> None:
        """Has every worker keep a checkpoint after its epoch, and waits a while until they have."""
        training = [worker for worker in range(self.count) if self._seats[worker].is_ready]
        for worker in training:
            self._send(worker, Interruption())
        deadline = time.monotonic() + _SECONDS_TO_KEEP
        left = {self._seats[worker].pipe for worker in training}
        while left and (seconds := deadline - time.monotonic()) > 0:
            ready = wait(left, timeout=seconds)
            for pipe in [pipe for pipe in left if pipe in ready]:
                try:
                    pipe.recv()  # the checkpoint has it too
                except (EOFError, OSError):
                    left.remove(pipe)

    def close(self) -> None:
        """Ends every process, whatever it does."""
        for seat in self._seats:
            seat.pipe.close()
            seat.process.kill()
        for seat in self._seats:
            seat.process.join()

    def _hear(self, worker: int) -> Event | Idle | Lost | None:
        """What a worker has to say; None for a sign of life."""
        seat = self._seats[worker]
        try:
            told = seat.pipe.recv()
        except (EOFError, OSError):
            return Lost(self._replace(worker))
        seat.silent_seconds = 0.0
        if isinstance(told, Alive):
            return None
        if isinstance(told, Broken):
            seat.process.kill()
            return Lost(self._replace(worker, told.reason), told.failure)
        if isinstance(told, Bug):
            raise WorkerError(f"worker {worker} had an unexpected exception\n{told.traceback}")
        if isinstance(told, Idle):
            seat.busy_seconds = None
        event: Event | Idle = told
        return event

    def _let_time_pass(self) -> None:
        """Time in which this process itself stood still, stopped or asleep, does not count."""
        now = time.monotonic()
        seconds = min(now - self._looked_at, 2 * _SECONDS_BETWEEN_LOOKS)
        self._looked_at = now
        for seat in self._seats:
            seat.silent_seconds += seconds
            if seat.busy_seconds is not None:
                seat.busy_seconds += seconds

    def _spawn(self, worker: int) -> _Seat:
        ours, theirs = _SPAWN.Pipe()
        process = WorkerProcess(
            target=self._work, args=(theirs,), name=f"worker {worker}", daemon=True
        )
        own = share(worker, self.count, device_kind=self._device_kind, per_device=self._per_device)
        with _environment(own), _deaf_to_ctrl_c():
            process.start()
        theirs.close()
        return _Seat(process, ours)

    def _set_up(self, worker: int) -> None:
        """Sends the images, in a thread: a process that hangs takes nothing."""
        task = partial(_send, self._seats[worker].pipe, self._setup)
        threading.Thread(target=task, daemon=True).start()

    def _ready(self, worker: int) -> Ready:
        """What a process says that was set up."""
        seat = self._seats[worker]
        try:
            if not seat.pipe.poll(self._seconds_to_start):
                seat.process.kill()
                waited = format_seconds(self._seconds_to_start)
                raise WorkerStartError(
                    f"worker {worker} was not ready after {waited}; see that its device is free "
                    "and works, or ask for fewer --workers"
                )
            told = seat.pipe.recv()
        except (EOFError, OSError):
            raise WorkerStartError(
                f"worker {worker} ended at its start ({self._end(worker)}); see that there is "
                "memory left and its device works, or ask for fewer --workers"
            ) from None
        match told:
            case Ready():
                seat.is_ready = True
                return told
            case Refusal(sentence):
                raise DeviceError(sentence)
            case Bug(text):
                raise WorkerError(f"worker {worker} could not start\n{text}")
            case _:
                raise AssertionError(f"a worker began with {told!r}")

    def _replace(self, worker: int, why: str | None = None) -> str:
        """A new process in the place of one that died; says how that ended.

        Raises:
            WorkerStartError: three in a row did not become ready.
        """
        reason = self._end(worker)
        for tries_left in (2, 1, 0):
            before, self._seats[worker] = self._seats[worker], self._spawn(worker)
            before.pipe.close()
            self._set_up(worker)
            try:
                self._ready(worker)
                break
            except WorkerStartError:
                if not tries_left:
                    raise
        return why or reason

    def _end(self, worker: int) -> str:
        process = self._seats[worker].process
        process.join(_SECONDS_TO_GO)
        code = process.exitcode
        if code is not None and code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"exit code {code}"

    def _send(self, worker: int, message: object) -> None:
        _send(self._seats[worker].pipe, message)


def _send(pipe: Connection, message: object) -> None:
    with suppress(OSError):  # it died: `Processes.next` finds out
        pipe.send(message)


def _check_devices(ready: list[Ready], per_device: int) -> None:
    accelerated = sum(worker.platform != "cpu" for worker in ready)
    if 0 < accelerated < len(ready):
        raise DeviceError(
            f"--workers {len(ready)} with --workers-per-device {per_device}: only {accelerated} "
            f"of them find an accelerator; ask for --workers {accelerated}, or for more "
            "--workers-per-device"
        )


@contextmanager
def _environment(changes: dict[str, str]) -> Iterator[None]:
    """Variables for a child: it must see them before it imports JAX."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """A child that is started meanwhile never hears of it; this process does, a moment later."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(pipe: Connection) -> None:
    from search.workers.worker import work  # JAX: in the worker's process, once it knows its share

    work(pipe)
