"""Who trains: this process itself, or processes of which each has a device to itself.

On a CPU a small network keeps one core busier than two: several processes, each with its share of
the cores, finish more trials an hour than one process with all of them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Protocol

from runs.record import Surroundings
from search.devices import DeviceError
from search.messages import (
    Announcement,
    Bug,
    Decision,
    Event,
    Idle,
    Lost,
    Ready,
    Refusal,
    Setup,
    TrialRequest,
)
from search.recipe import Recipe
from space.config import Config

if TYPE_CHECKING:
    from search.data import ImageData
    from search.loop import Workers

_SPAWN = get_context("spawn")  # a fork of a process with JAX's threads hangs
_SECONDS_TO_GO = 5.0
"""What a process has to end in when it is told to, before it is killed."""


class WorkerError(RuntimeError):
    """An unexpected exception in a worker's process; the message is its traceback there."""


@contextmanager
def open_workers(count: int, device_kind: str) -> Iterator[Callable[[ImageData], Workers]]:
    """Workers, once they are given images: this process itself, or so many others.

    Args:
        count: how many; others start at once, while the images are being read.
        device_kind: as `search.devices.choose` takes it.

    Raises:
        DeviceError: there are not so many devices of that kind, or fewer cores.
        WorkerError: a worker could not start.
    """
    if count == 1:
        from search.device_data import put  # JAX: not where other processes train
        from search.devices import choose
        from search.engine import Engine
        from search.surroundings import surroundings

        device = choose(device_kind)
        with ExitStack() as stack:

            def give(images: ImageData) -> Workers:
                engine = stack.enter_context(Engine(put(images, device), device))
                return ThisProcess(engine, surroundings(device))

            yield give
    else:
        with closing(Processes(count=count, device_kind=device_kind)) as processes:
            yield processes.give


class Trainer(Protocol):
    """What trains within a process: `search.engine.Engine`."""

    def announce(self, config: Config, recipe: Recipe, num_seeds: int) -> None:
        """What will be requested next."""

    def run(self, request: TrialRequest, goes_on: Callable[[], bool]) -> Iterator[Event]:
        """Trains a configuration, once a seed; asks at a rung whether it goes on."""


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
        self._goes_on = True

    def announce(self, worker: int, config: Config, recipe: Recipe, num_seeds: int) -> None:
        """Compiles in the background."""
        self._trainer.announce(config, recipe, num_seeds)

    def start(self, worker: int, request: TrialRequest) -> None:
        """The events that come next are those of this request."""
        self._goes_on = True
        self._events = self._trainer.run(request, lambda: self._goes_on)

    def decide(self, worker: int, goes_on: bool) -> None:
        """Holds when the next event is asked for."""
        self._goes_on = goes_on

    def next(self) -> tuple[int, Event | Idle | Lost]:
        """Trains up to the next event."""
        return 0, next(self._events, Idle())


class Processes:
    """Several workers, a spawned process each; one that dies is replaced.

    They start at once, which takes seconds, and train when they have been given images.

    Args:
        count: how many workers.
        device_kind: as `search.devices.choose` takes it.

    Raises:
        DeviceError: there are fewer cores.
    """

    def __init__(self, *, count: int, device_kind: str) -> None:
        if count > num_cores():
            raise DeviceError(
                f"--workers {count}: there are {num_cores()} processor cores; "
                "ask for at most that many"
            )
        self.count = count
        self._device_kind = device_kind
        self._setup: Setup | None = None
        self._processes: dict[int, BaseProcess] = {}
        self._pipes: dict[int, Connection] = {}
        for worker in range(count):
            self._spawn(worker)

    def give(self, images: ImageData) -> Processes:
        """Has every worker put the images on its device, and waits until they have.

        Raises:
            DeviceError: there is no such device, or not one for every worker.
            WorkerError: a worker could not start.
        """
        self._setup = Setup(images, self._device_kind)
        for worker in range(self.count):
            self._send(worker, self._setup)
        ready = [self._ready(worker) for worker in range(self.count)]
        _check_devices(ready)
        self.surroundings = ready[0].surroundings
        return self

    def announce(self, worker: int, config: Config, recipe: Recipe, num_seeds: int) -> None:
        """Has a worker compile in the background."""
        self._send(worker, Announcement(config, recipe, num_seeds))

    def start(self, worker: int, request: TrialRequest) -> None:
        """Has a worker train."""
        self._send(worker, request)

    def decide(self, worker: int, goes_on: bool) -> None:
        """Tells a worker that waits at a rung."""
        self._send(worker, Decision(goes_on))

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
        if isinstance(told, Bug):
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
        with _environment(share(worker, self.count)):
            process.start()
        theirs.close()
        self._processes[worker], self._pipes[worker] = process, ours

    def _ready(self, worker: int) -> Ready:
        try:
            told = self._pipes[worker].recv()
        except (EOFError, OSError):
            raise WorkerError(f"worker {worker} ended at its start: {self._end(worker)}") from None
        match told:
            case Ready():
                return told
            case Refusal(sentence):
                raise DeviceError(sentence)
            case Bug(text):
                raise WorkerError(f"worker {worker} could not start\n{text}")
            case _:
                raise AssertionError(f"a worker began with {told!r}")

    def _replace(self, worker: int) -> str:
        """A new process in the place of one that died; says how that ended."""
        reason = self._end(worker)
        self._pipes[worker].close()
        self._spawn(worker)
        self._send(worker, self._setup)
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


def share(worker: int, count: int) -> dict[str, str]:
    """What lets a process see its own accelerator only, and take its share of the cores."""
    cores = max(1, num_cores() // count)
    environment = {"PJRT_NPROC": str(cores)}  # of XLA's thread pools
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
        given = os.environ.get(name)
        visible = [str(i) for i in range(count)] if given is None else given.split(",")
        environment[name] = visible[worker] if worker < len(visible) else "-1"  # none
    return environment


def num_cores() -> int:
    """Processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _check_devices(ready: list[Ready]) -> None:
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
    from search.worker import work  # JAX: in the worker's process, once it knows its share

    work(pipe)
