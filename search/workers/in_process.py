"""A worker without a process of its own: it trains where it is asked for the next event.

For a notebook or a plain script, where one process is all there is to see. What it cannot do is
end a device that hangs, or a trial in the middle of an epoch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING

from search.protocol import (
    Broken,
    EpochDone,
    Event,
    RequestDone,
    Started,
    StartWeights,
    TrialRequest,
    WorkerDied,
)
from search.spec.recipe import Recipe
from search.train.device_data import put
from search.train.devices import choose
from search.train.engine import Engine
from search.train.environment import find_environment
from search.workers.liveness import out_of_time
from space.config import Config

if TYPE_CHECKING:
    import jax

    from search.data import ImageData
    from search.protocol import StartWorkers

_NOTHING: tuple[Event, ...] = ()


@contextmanager
def open_in_process(
    device_kind: str,
    *,
    trial_seconds: float | None = None,
    held: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Iterator[StartWorkers]:
    """One worker in this process, once it is given images.

    Args:
        device_kind: as `search.train.devices.choose` takes it.
        trial_seconds: a trial that takes longer is given up after its epoch; None for no limit.
        held: a context in which Ctrl-C waits: what an epoch has trained is then kept.

    Raises:
        DeviceError: there is no device of that kind.
    """
    opened: list[InProcess] = []

    def start_workers(images: ImageData, start: StartWeights | None = None) -> InProcess:
        opened.append(InProcess(images, choose(device_kind), trial_seconds, held, start))
        return opened[0]

    try:
        yield start_workers
    finally:
        for worker in opened:
            worker.close()


class InProcess:
    """`search.protocol.Workers` of one, which trains in `next`.

    Args:
        images: to train on.
        device: where.
        trial_seconds: a trial that takes longer is given up after its epoch.
        held: a context in which Ctrl-C waits.
        start: weights that trainings start from.
    """

    count = 1

    def __init__(
        self,
        images: ImageData,
        device: jax.Device,
        trial_seconds: float | None = None,
        held: Callable[[], AbstractContextManager[None]] = nullcontext,
        start: StartWeights | None = None,
    ) -> None:
        self.environment = find_environment(device)
        self._engine = Engine(put(images, device, start), device, start=start)
        self._limit = trial_seconds
        self._held = held
        self._events: Iterator[Event | Broken] = iter(_NOTHING)
        self._epochs = 0
        """That the request asks for."""
        self._seconds = 0.0
        """That the request has taken."""
        self._trains = False
        self._is_late = False
        self._goes_on = True
        self._is_interrupted = False

    def compile_ahead(self, worker: int, config: Config, recipe: Recipe, num_seeds: int) -> None:
        """Begins to compile, in a thread."""
        self._engine.compile_ahead(config, recipe, num_seeds)

    def start(self, worker: int, request: TrialRequest) -> None:
        """Takes a request, which `next` trains."""
        self._events = self._engine.run(
            request, lambda: self._goes_on, lambda: self._is_interrupted
        )
        self._epochs, self._seconds = request.recipe.epochs, 0.0
        self._trains, self._is_late, self._goes_on = False, False, True

    def decide(self, worker: int, goes_on: bool) -> None:
        """Whether the trials go on after the rung whose epoch `next` told of."""
        self._goes_on = goes_on

    def next(self) -> tuple[int, Event | RequestDone | WorkerDied]:
        """Trains until something is to be told."""
        if self._is_late and self._goes_on and self._limit is not None:
            self._keep()  # what it has trained serves it under a higher limit
            return 0, out_of_time(self._limit)
        began = time.monotonic()
        with self._held():
            event = next(self._events, RequestDone())
        self._seconds += time.monotonic() - began
        match event:
            case Broken(reason, failure):
                self._end()
                return 0, WorkerDied(reason, failure)
            case Started():
                self._trains = True
            case EpochDone(epochs):
                is_over = self._limit is not None and self._seconds > self._limit
                self._is_late = is_over and epochs[0].epoch < self._epochs
            case RequestDone():
                self._trains = False
        return 0, event

    def interrupt(self) -> None:
        """Has what is trained kept, which may take an epoch; another Ctrl-C ends that."""
        with suppress(KeyboardInterrupt):
            self._keep()

    def close(self) -> None:
        """Ends the thread that compiles; the device's memory goes with the last reference."""
        self._end()
        self._engine.__exit__()

    def _keep(self) -> None:
        """Writes a checkpoint of what is trained, and trains no further."""
        self._is_interrupted = True
        try:
            if self._trains:
                for _ in self._events:
                    pass
        finally:
            self._is_interrupted = False
            self._end()

    def _end(self) -> None:
        """Trains no further."""
        self._events, self._trains, self._is_late = iter(_NOTHING), False, False
