"""Who trains: this process itself, or processes of which each has a device to itself.

On a CPU a small network keeps one core busier than two: several processes, each with its share of
the cores, finish more trials an hour than one process with all of them.
"""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from typing import Any, Protocol

from runs.record import Surroundings
from search.compile_cache import compile_cache_environment
from search.data import ImageData
from search.device_data import put
from search.devices import DeviceError, choose
from search.engine import Engine
from search.recipe import Recipe
from search.surroundings import surroundings
from search.trial import Event, Idle, Lost, TrialRequest
from space.config import Config
from space.errors import MixerSearchError

_SPAWN = get_context("spawn")  # a fork of a process with JAX's threads hangs
_SECONDS_TO_GO = 5.0
"""What a process has to end in when it is told to, before it is killed."""


class WorkerError(RuntimeError):
    """An unexpected exception in a worker's process; the message is its traceback there."""


class Trainer(Protocol):
    """What trains within a process: `search.engine.Engine`."""

    def announce(self, config: Config, recipe: Recipe, num_seeds: int) -> None:
        """What will be requested next."""

    def run(self, request: TrialRequest) -> Iterator[Event]:
        """Trains a configuration, once a seed."""


class ThisProcess:
    """One worker: whoever asks it for events trains, and compiles in a thread of its own.

    Args:
        trainer: trains and compiles.
        surroundings: what it trains on.
    """

    count = 1

    def __init__(self, trainer: Trainer, surroundings: Surroundings) -> None:
        self.surroundings = surroundings
        self._trainer = trainer
        self._events: Iterator[Event] = iter(())

    def announce(self, worker: int, config: Config, recipe: Recipe, num_seeds: int) -> None:
        """Compiles in the background."""
        self._trainer.announce(config, recipe, num_seeds)

    def start(self, worker: int, request: TrialRequest) -> None:
        """The events that come next are those of this request."""
        self._events = self._trainer.run(request)

    def next(self) -> tuple[int, Event | Idle | Lost]:
        """Trains up to the next event."""
        return 0, next(self._events, Idle())


class Processes:
    """Several workers, a spawned process each; one that dies is replaced.

    Args:
        images: every worker puts them on its device.
        count: how many workers.
        device_kind: as `search.devices.choose` takes it.

    Raises:
        DeviceError: there are not so many devices, or fewer cores.
        WorkerError: a worker could not start, or had an unexpected exception.
    """

    def __init__(self, images: ImageData, *, count: int, device_kind: str) -> None:
        check_count(count)
        self.count = count
        self._setup = _Setup(images, device_kind)
        self._processes: dict[int, BaseProcess] = {}
        self._pipes: dict[int, Connection] = {}
        try:
            for worker in range(count):
                self._spawn(worker)
            for worker in range(count):
                self._pipes[worker].send(self._setup)
            ready = [self._ready(worker) for worker in range(count)]
            self.surroundings = ready[0].surroundings
            _check_devices(ready)
        except BaseException:
            self.close()
            raise

    def announce(self, worker: int, config: Config, recipe: Recipe, num_seeds: int) -> None:
        """Has a worker compile in the background."""
        self._send(worker, _Announcement(config, recipe, num_seeds))

    def start(self, worker: int, request: TrialRequest) -> None:
        """Has a worker train."""
        self._send(worker, request)

    def next(self) -> tuple[int, Event | Idle | Lost]:
        """Waits for the next event of any worker.

        Raises:
            WorkerError: a worker had an unexpected exception.
        """
        (pipe, *_) = wait(list(self._pipes.values()))
        worker = next(worker for worker, known in self._pipes.items() if known is pipe)
        try:
            told = self._pipes[worker].recv()
        except (EOFError, OSError):
            return worker, Lost(self._replace(worker))
        if isinstance(told, _Bug):
            raise WorkerError(f"worker {worker} had an unexpected exception\n{told.traceback}")
        return worker, told

    def close(self) -> None:
        """Ends every process, whatever it does."""
        for pipe in self._pipes.values():
            pipe.close()
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            process.join(_SECONDS_TO_GO)
            if process.is_alive():
                process.kill()
                process.join()

    def _spawn(self, worker: int) -> None:
        ours, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(target=_work, args=(theirs,), name=f"worker {worker}", daemon=True)
        with _environment(_share(worker, self.count) | compile_cache_environment()):
            process.start()
        theirs.close()
        self._processes[worker], self._pipes[worker] = process, ours

    def _ready(self, worker: int) -> _Ready:
        try:
            told = self._pipes[worker].recv()
        except (EOFError, OSError):
            raise WorkerError(f"worker {worker} ended at its start: {self._end(worker)}") from None
        match told:
            case _Ready():
                return told
            case _Refusal(sentence):
                raise DeviceError(sentence)
            case _Bug(text):
                raise WorkerError(f"worker {worker} could not start\n{text}")
            case _:
                raise AssertionError(f"a worker began with {told!r}")

    def _replace(self, worker: int) -> str:
        """A new process in the place of one that died; says how that ended."""
        reason = self._end(worker)
        self._pipes[worker].close()
        self._spawn(worker)
        self._pipes[worker].send(self._setup)
        self._ready(worker)
        return reason

    def _end(self, worker: int) -> str:
        process = self._processes[worker]
        process.join(_SECONDS_TO_GO)
        code = process.exitcode
        if code is not None and code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"exit code {code}"

    def _send(self, worker: int, message: object) -> None:
        try:
            self._pipes[worker].send(message)
        except OSError:
            return  # it died: `next` finds out


@dataclass(frozen=True)
class _Setup:
    """What a worker has to know before it can train."""

    images: ImageData
    device_kind: str


@dataclass(frozen=True)
class _Ready:
    """A worker has its device and the images on it."""

    surroundings: Surroundings
    platform: str


@dataclass(frozen=True)
class _Refusal:
    """A worker cannot have what was asked for, in a sentence."""

    sentence: str


@dataclass(frozen=True)
class _Bug:
    """A worker had an exception nobody expected."""

    traceback: str


@dataclass(frozen=True)
class _Announcement:
    """What will be requested next."""

    config: Config
    recipe: Recipe
    num_seeds: int


def _share(worker: int, count: int) -> dict[str, str]:
    """What lets a process see its own accelerator only, and take its share of the cores."""
    cores = max(1, num_cores() // count)
    environment = {"PJRT_NPROC": str(cores)}  # of XLA's thread pools
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
        given = os.environ.get(name)
        visible = given.split(",") if given else [str(i) for i in range(count)]
        environment[name] = visible[worker] if worker < len(visible) else "-1"
    return environment


def num_cores() -> int:
    """Processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_count(count: int) -> None:
    """Whether there can be so many workers, as far as the cores go.

    Raises:
        DeviceError: there are fewer cores.
    """
    if count > num_cores():
        raise DeviceError(
            f"--workers {count}: there are {num_cores()} processor cores; ask for at most that many"
        )


def _check_devices(ready: list[_Ready]) -> None:
    accelerated = sum(worker.platform != "cpu" for worker in ready)
    if 0 < accelerated < len(ready):
        raise DeviceError(
            f"--workers {len(ready)}: only {accelerated} of them find an accelerator; "
            f"ask for --workers {accelerated}"
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


def _work(pipe: Connection) -> None:
    """A worker's life: its device, then request after request."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the coordinator, who ends us
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        setup: _Setup = pipe.recv()
        device = choose(setup.device_kind)
        with Engine(put(setup.images, device), device) as engine:
            requests: SimpleQueue[TrialRequest] = SimpleQueue()
            listener = threading.Thread(target=_listen, args=(pipe, engine, requests), daemon=True)
            listener.start()
            pipe.send(_Ready(surroundings(device), device.platform))
            while True:
                for event in engine.run(requests.get()):
                    pipe.send(event)
                pipe.send(Idle())
    except (EOFError, BrokenPipeError):
        pass  # the coordinator is no more
    except MixerSearchError as error:
        pipe.send(_Refusal(str(error)))
    except Exception:
        pipe.send(_Bug(traceback.format_exc()))
    os._exit(0)  # a compilation under way is not waited for


def _listen(pipe: Connection, engine: Engine, requests: SimpleQueue[Any]) -> None:
    """Takes what the coordinator sends while the main thread trains."""
    while True:
        try:
            message = pipe.recv()
        except (EOFError, OSError):
            os._exit(0)
        if isinstance(message, _Announcement):
            engine.announce(message.config, message.recipe, message.num_seeds)
        else:
            requests.put(message)
