"""Workers on one machine: processes, of which each has a device to itself.

On a CPU a small network keeps one core busier than two: several processes, each with its share of
the cores, finish more trials an hour than one process with all of them. The coordinator
never trains: it can wait for several, kill what hangs, and end at once when it is told to.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING

from search.protocol import (
    Alive,
    Announcement,
    Broken,
    Decision,
    Event,
    Interruption,
    Ready,
    Refusal,
    RequestDone,
    Setup,
    StartWeights,
    TrialRequest,
    WorkerCrashed,
    WorkerDied,
)
from search.spec.recipe import Recipe
from search.train.devices import DeviceError
from search.train.machine import count_accelerators, num_cores, share
from search.workers.liveness import SECONDS_BETWEEN_LOOKS, SECONDS_TO_KEEP, Liveness
from search.workers.worker_handle import WorkerHandle
from space.config import Config
from space.errors import MixerSearchError
from space.quantities import format_seconds

if TYPE_CHECKING:
    from search.data import ImageData
    from search.protocol import StartWorkers

_SECONDS_TO_GO = 5.0
"""In which a process that was killed, or closed its pipe, is gone."""
_SECONDS_BETWEEN_END_LOOKS = 0.02
"""Between two looks whether such a process is gone."""
_STARTS = 3
"""How many processes are tried in the place of one that died, until one is ready."""
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
) -> Iterator[StartWorkers]:
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
        yield processes.start_workers
    finally:
        processes.close()


class Processes:
    """Workers, a spawned process each; one that dies, or freezes, is replaced.

    They start at once, which takes seconds, and train when they have been given images. Each sees
    one accelerator, of which it may share the memory with others, or has its share of the
    processor's cores and memory. While a process starts in the place of one that died, the others
    are heard and answered; the request that its worker is given meanwhile waits for it.

    Args:
        count: how many workers.
        device_kind: as `search.train.devices.choose` takes it.
        per_device: how many share an accelerator.
        trial_seconds: what trains longer is killed; None for no limit.
        silent_seconds: a process that gives no heartbeat for so long is killed.
        seconds_to_start: a process that is not ready after so long is killed.
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
        self._seconds_to_start = seconds_to_start
        self._silent_seconds = silent_seconds
        self._liveness = Liveness(count, silent_limit=silent_seconds, trial_limit=trial_seconds)
        self._turn = 0
        self._requests: dict[int, TrialRequest] = {}
        """By worker: what it is to train as soon as it is ready."""
        self._handles = [self._spawn(worker) for worker in range(count)]

    def start_workers(self, images: ImageData, start: StartWeights | None = None) -> Processes:
        """Has every worker put the images on its device, and waits until they have.

        Weights that trainings start from are sent along, once: a request names their digest.

        Raises:
            DeviceError: there is no such device, or not one for every worker.
            WorkerError: a worker had an unexpected exception as it started.
            WorkerStartError: a worker ended, or hung, as it started.
        """
        self._setup = Setup(images, self._device_kind, sharers=self.count, start=start)
        self._liveness.tick()
        for worker in range(self.count):
            self._set_up(worker)
        while not all(handle.is_ready for handle in self._handles):
            self._look()  # no trial is under way: what it tells concerns none
        ready = [handle.ready for handle in self._handles if handle.ready]
        _check_devices(ready, self._per_device)
        self.environment = ready[0].environment
        return self

    def compile_ahead(self, worker: int, config: Config, recipe: Recipe, num_seeds: int) -> None:
        """Has a worker compile in the background."""
        self._handles[worker].send(Announcement(config, recipe, num_seeds))

    def start(self, worker: int, request: TrialRequest) -> None:
        """Has a worker train, as soon as it is ready."""
        if self._handles[worker].is_ready:
            self._liveness.begin_trial(worker)
            self._handles[worker].send(request)
        else:
            self._requests[worker] = request

    def decide(self, worker: int, goes_on: bool) -> None:
        """Tells a worker that waits, at a rung or with weights."""
        self._handles[worker].send(Decision(goes_on))

    def next(self) -> tuple[int, Event | RequestDone | WorkerDied]:
        """Waits for the next event of any worker.

        Raises:
            WorkerError: a worker had an unexpected exception.
            WorkerStartError: a worker died, and so did those in its place.
        """
        while (told := self._look()) is None:
            pass
        return told

    def interrupt(self) -> None:
        """Has every worker keep a checkpoint after its epoch, and waits a while until they have."""
        training = {handle.pipe: handle for handle in self._handles if handle.is_ready}
        for handle in training.values():
            handle.send(Interruption())
        deadline = time.monotonic() + SECONDS_TO_KEEP
        while training and (seconds := deadline - time.monotonic()) > 0:
            for pipe in wait(list(training), timeout=seconds):
                assert isinstance(pipe, Connection)
                if training[pipe].receive() is None:  # all else is in the checkpoint too
                    del training[pipe]

    def close(self) -> None:
        """Ends every process, whatever it does."""
        for handle in self._handles:
            handle.close()
        for handle in self._handles:
            handle.process.join()

    def _look(self) -> tuple[int, Event | RequestDone | WorkerDied] | None:
        """Waits, for a moment at most, until a worker tells something, or has to be replaced."""
        pipes = [handle.pipe for handle in self._handles if not handle.is_ending]
        is_any_ending = len(pipes) < self.count
        seconds = _SECONDS_BETWEEN_END_LOOKS if is_any_ending else SECONDS_BETWEEN_LOOKS
        ready = wait(pipes, timeout=seconds)
        self._liveness.tick()
        for worker in [*range(self._turn, self.count), *range(self._turn)]:
            self._turn = (worker + 1) % self.count  # a worker that tells much delays no other
            told = self._look_at(worker, self._handles[worker].pipe in ready)
            if told is not None:
                return worker, told
        return None

    def _look_at(self, worker: int, has_news: bool) -> Event | RequestDone | WorkerDied | None:
        """What is to be told of a worker."""
        handle = self._handles[worker]
        if has_news:
            self._liveness.heartbeat(worker)
        if handle.is_ending:
            return self._follow_end(worker)
        if handle.is_ready:
            if lost := self._liveness.given_up(worker):
                self._kill(worker, lost)
            elif has_news:
                return self._hear(worker)
        elif has_news:
            self._admit(worker)
        elif self._liveness.silent_seconds(worker) > self._seconds_to_start:
            waited = format_seconds(self._seconds_to_start)
            why = f"was not ready after {waited}; see that its device is free and works"
            self._kill(worker, WorkerDied(why))
        return None

    def _hear(self, worker: int) -> Event | RequestDone | None:
        """What a worker tells; None for a heartbeat, and where it ends."""
        told = self._handles[worker].receive()
        match told:
            case None | Alive():
                return None
            case Broken(reason, failure):
                self._kill(worker, WorkerDied(reason, failure))
                return None
            case WorkerCrashed(text):
                raise WorkerError(f"worker {worker} had an unexpected exception\n{text}")
            case RequestDone():
                self._liveness.end_trial(worker)
        event: Event | RequestDone = told
        return event

    def _admit(self, worker: int) -> None:
        """A process that starts is ready, and is sent the request that waits for it; or it ends."""
        handle = self._handles[worker]
        told = handle.receive()
        match told:
            case None:
                return
            case Ready():
                handle.ready = told
            case Refusal(sentence):
                raise DeviceError(sentence)
            case WorkerCrashed(text):
                raise WorkerError(f"worker {worker} could not start\n{text}")
            case _:
                raise AssertionError(f"a worker began with {told!r}")
        if worker in self._requests:
            self.start(worker, self._requests.pop(worker))

    def _follow_end(self, worker: int) -> WorkerDied | None:
        """Replaces a process once it is gone; what is to be told of that.

        Raises:
            WorkerStartError: it had not become ready, and neither had those before it.
        """
        gone = self._handles[worker]
        is_gone = gone.process.exitcode is not None
        if not is_gone and self._liveness.silent_seconds(worker) <= _SECONDS_TO_GO:
            return None
        ended = gone.end
        gone.process.kill()  # it may have closed its pipe and live on
        was_ready = gone.ready is not None
        if not was_ready and gone.starts_left == 0:
            why = (
                f"ended at its start ({ended}); see that there is memory left and its device works"
            )
            if gone.lost:
                why = gone.lost.reason
            raise WorkerStartError(f"worker {worker} {why}, or ask for fewer --workers")
        gone.close()
        starts_left = _STARTS if was_ready else gone.starts_left
        self._handles[worker] = self._spawn(worker, starts_left - 1)
        self._set_up(worker)
        return (gone.lost or WorkerDied(ended)) if was_ready else None

    def _kill(self, worker: int, lost: WorkerDied) -> None:
        """Ends a process; it is told, and replaced, when the process is gone."""
        self._handles[worker].kill(lost)
        self._liveness.restart(worker)

    def _spawn(self, worker: int, starts_left: int = 0) -> WorkerHandle:
        own = share(worker, self.count, device_kind=self._device_kind, per_device=self._per_device)
        return WorkerHandle(
            self._work,
            name=f"worker {worker}",
            environment=own,
            starts_left=starts_left,
            silent_seconds=self._silent_seconds,
        )

    def _set_up(self, worker: int) -> None:
        self._handles[worker].set_up(self._setup)
        self._liveness.restart(worker)


def _check_devices(ready: list[Ready], per_device: int) -> None:
    accelerated = sum(worker.platform != "cpu" for worker in ready)
    if 0 < accelerated < len(ready):
        raise DeviceError(
            f"--workers {len(ready)} with --workers-per-device {per_device}: only {accelerated} "
            f"of them find an accelerator; ask for --workers {accelerated}, or for more "
            "--workers-per-device"
        )


def _work(pipe: Connection) -> None:
    from search.workers.worker import work  # JAX: in the worker's process, once it knows its share

    work(pipe)
