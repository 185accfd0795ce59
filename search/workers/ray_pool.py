"""Workers on several machines: Ray actors, of which each has a device to itself.

Ray places them, carries requests and events, sees that a process or a node is gone, and starts
its actors again, where there is room. The next actor that is free trains a request: the study of a
cluster that has lost a node goes on with the others.

Longer than others: its methods share the state of one pool of actors.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runs.record import Environment, Failure
from search.protocol import (
    Broken,
    Event,
    Refusal,
    RequestDone,
    Started,
    TrialRequest,
    Warned,
    WorkerDied,
)
from search.spec.recipe import Recipe
from search.train.devices import DeviceError
from search.workers.liveness import SECONDS_BETWEEN_LOOKS, SECONDS_TO_KEEP, Liveness
from search.workers.processes import WorkerError
from search.workers.ray_actor import CONTROL, RayWorker
from search.workers.ray_cluster import (
    ClusterError,
    Places,
    agreed,
    connected,
    find_places,
    resources,
)
from space.config import Config
from space.quantities import format_seconds

if TYPE_CHECKING:
    from search.data import ImageData
    from search.protocol import StartWeights, StartWorkers

_SECONDS_TO_JOIN = 20.0
"""In which, at the start, an actor follows the one before."""
_SECONDS_STRANDED = 30.0
"""After which it is said that no actor trains."""


@contextmanager
def open_ray_workers(
    count: int | None,
    device_kind: str,
    *,
    per_device: int = 1,
    address: str = "auto",
    trial_seconds: float | None = None,
) -> Iterator[StartWorkers]:
    """Workers on a Ray cluster, once they are given images: as those of `search.workers.processes`.

    Args:
        count: how many; None for `per_device` a free accelerator, or a node of a cluster without.
        device_kind: as `search.train.devices.choose` takes it.
        per_device: how many share an accelerator, its memory divided.
        address: as `search.workers.ray_cluster.connected` takes it.
        trial_seconds: a trial that takes longer is given up; None for no limit.

    Raises:
        ClusterError: there is no such cluster, or it has not so many places.
        WorkerError: a worker could not start.
    """
    with connected(address):
        places = find_places(count, device_kind, *resources(), per_device=per_device)
        workers = RayWorkers(places, trial_seconds=trial_seconds)
        yield workers.start_workers


@dataclass
class _Actor:
    """What is known of an actor, in whatever process Ray has it now."""

    number: int
    handle: Any
    node: str = ""
    starting: Any = None
    """Until it has its device and the images: a reference to its answer."""
    events: Any = None
    """Of what it trains: a generator of references."""
    worker: int = -1
    """Whose request it trains."""
    has_started: bool = False
    """Whether its device is at work."""
    heartbeat: Any = None
    """A reference to its next one."""

    @property
    def awaited(self) -> Any:
        """What comes next from it; None where it has nothing to do."""
        return self.starting if self.starting is not None else self.events


class RayWorkers:
    """Workers, an actor each while all are there; Ray starts again those that die.

    They start at once, and train when they have been given images. In a process that is
    `search.workers.ray_cluster.connected`.

    Args:
        places: how many, and what each has.
        trial_seconds: what trains longer is killed; None for no limit.
        silent_seconds: an actor that gives no heartbeat for so long is killed: Ray sees that a
            process is gone or that a node is frozen, not that a process is.
        seconds_to_start: so long the first one is waited for.
    """

    def __init__(
        self,
        places: Places,
        *,
        trial_seconds: float | None = None,
        silent_seconds: float = 60.0,
        seconds_to_start: float = 300.0,
    ) -> None:
        import ray

        self.count = places.count
        self._ray = ray
        self._places = places
        self._seconds_to_start = seconds_to_start
        self._waiting: deque[tuple[int, TrialRequest]] = deque()
        self._notes: deque[str] = deque()
        self._liveness = Liveness(
            places.count, silent_limit=silent_seconds, trial_limit=trial_seconds
        )
        self._looked_at = 0.0
        """When heartbeats were last looked at, of the clock of `Liveness`."""
        self._trained_at = 0.0
        """When a request that waits had an actor that trains, or none waited."""
        self._is_stranded = False
        self._surroundings: Environment | None = None
        remote = ray.remote(max_restarts=-1, concurrency_groups={CONTROL: 1}, **places.options)(
            RayWorker
        )
        self._actors = deque(
            _Actor(number, remote.remote(places.device_kind, places.num_cores, places.per_device))
            for number in range(places.count)
        )

    def start_workers(self, images: ImageData, start: StartWeights | None = None) -> RayWorkers:
        """Has every actor put the images on its device, and waits until they have.

        Those that are late follow when they can; a sentence says so.

        Raises:
            ClusterError: none was ready in time, or the nodes differ in what they run.
            DeviceError: there is no such device.
            WorkerError: an actor could not start.
        """
        self._setup = self._ray.put((images, start))  # Ray brings it to every node once
        for actor in self._actors:
            self._begin(actor)
        deadline = time.monotonic() + self._seconds_to_start
        while missing := [actor for actor in self._actors if actor.starting is not None]:
            if time.monotonic() > deadline:
                break
            for actor in missing:
                if self._is_there(actor.starting, seconds=0.1):
                    self._admit(actor)
                    deadline = time.monotonic() + _SECONDS_TO_JOIN
        if len(missing) == self.count:
            raise ClusterError(
                f"none of {self.count} workers was ready in "
                f"{format_seconds(self._seconds_to_start)}: the Ray cluster has no place for one, "
                "or is slow; see `ray status`"
            )
        if missing:
            self._notes.append(
                f"{len(missing)} of {self.count} workers not ready yet (no place on the Ray "
                "cluster, or slow): the others begin"
            )
        return self

    @property
    def environment(self) -> Environment:
        """What they train on; where nodes have different devices, on one of these."""
        assert self._surroundings is not None, "workers are given images first"
        return self._surroundings

    def compile_ahead(self, worker: int, config: Config, recipe: Recipe, num_seeds: int) -> None:
        """Has the actor that trains for a worker compile in the background."""
        self._tell(worker, "compile_ahead", config, recipe, num_seeds)

    def start(self, worker: int, request: TrialRequest) -> None:
        """Has an actor train, as soon as one is free."""
        self._waiting.append((worker, request))

    def decide(self, worker: int, goes_on: bool) -> None:
        """Tells the actor that waits, at a rung or with weights."""
        self._tell(worker, "decide", goes_on)

    def next(self) -> tuple[int, Event | RequestDone | WorkerDied]:
        """Waits for the next event of any worker.

        Raises:
            DeviceError: an actor came back where there is no such device.
            WorkerError: an actor had an unexpected exception.
        """
        while True:
            self._look()
            self._assign()
            if self._notes:
                return self._anybody, Warned(self._notes.popleft())
            for actor in self._actors:
                is_starting = actor.starting is not None
                lost = None if is_starting else self._liveness.given_up(actor.number)
                if lost is not None:
                    self._ray.kill(actor.handle, no_restart=False)
                    if (told := self._lose(actor, lost)) is not None:
                        return told
            self._actors.rotate(-1)  # an actor that tells much delays no other
            watched = [actor.awaited for actor in self._actors if actor.awaited is not None]
            ready, _ = self._ray.wait(watched, timeout=SECONDS_BETWEEN_LOOKS)
            for actor in self._actors:
                if ready and actor.awaited is ready[0]:
                    if actor.starting is not None:
                        self._admit(actor)
                    else:
                        return self._hear(actor)

    def interrupt(self) -> None:
        """Has every actor keep a checkpoint after its epoch, and waits a while until they have."""
        training = [actor for actor in self._actors if actor.has_started]
        for actor in training:
            self._call(actor, "interrupt")
        ends = [actor.events.completed() for actor in training]
        if ends:
            self._ray.wait(ends, num_returns=len(ends), timeout=SECONDS_TO_KEEP)

    @property
    def _anybody(self) -> int:
        """A worker that has something to do."""
        training = [actor.worker for actor in self._actors if actor.events is not None]
        return training[0] if training else self._waiting[0][0]

    def _hear(self, actor: _Actor) -> tuple[int, Event | RequestDone | WorkerDied]:
        """What an actor that trains has to say."""
        from ray.exceptions import OutOfMemoryError, RayError, RayTaskError

        worker = actor.worker
        try:
            event: Event | Broken = self._ray.get(next(actor.events))
        except StopIteration:
            actor.events, actor.has_started = None, False
            self._liveness.end_trial(actor.number)
            return worker, RequestDone()
        except RayTaskError as error:
            raise WorkerError(f"worker {worker} had an unexpected exception\n{error}") from None
        except OutOfMemoryError:
            why = f"Ray ended it: {actor.node} ran out of memory"
            lost = self._lose(actor, WorkerDied(why, Failure.OUT_OF_MEMORY))
        except RayError:
            lost = self._lose(actor, WorkerDied(f"its process on {actor.node} is gone"))
        else:
            if not isinstance(event, Broken):
                actor.has_started |= isinstance(event, Started)
                return worker, event
            # asked whether it is ready, it begins anew
            lost = self._lose(actor, WorkerDied(event.reason, event.failure))
        assert lost is not None, "it was training"
        return lost

    def _lose(self, actor: _Actor, lost: WorkerDied) -> tuple[int, WorkerDied] | None:
        """Waits for an actor's next life; what is to be told if it was training."""
        was_training, worker = actor.events is not None, actor.worker
        self._begin(actor)
        return (worker, lost) if was_training else None

    def _begin(self, actor: _Actor) -> None:
        """Has an actor become ready, in whatever process Ray gives it."""
        actor.events, actor.heartbeat, actor.has_started = None, None, False
        self._liveness.restart(actor.number)
        actor.starting = self._call(actor, "ready", self._setup, max_task_retries=-1)

    def _admit(self, actor: _Actor) -> None:
        """An actor is ready: all must have the same, but for the device."""
        from ray.exceptions import RayError

        try:
            answer, actor.node = self._ray.get(actor.starting)
        except RayError as error:
            raise WorkerError(f"worker {actor.number} could not start\n{error}") from None
        if isinstance(answer, Refusal):
            raise DeviceError(f"on {actor.node}: {answer.sentence}")
        self._surroundings = agreed(self._surroundings, answer.environment, actor.node)
        actor.starting = None
        actor.heartbeat = self._call(actor, "heartbeat")
        self._liveness.heartbeat(actor.number)

    def _assign(self) -> None:
        """Gives requests to actors that are free: to the one of that number, which has most likely
        compiled it ahead, if it is."""
        while self._waiting:
            worker, request = self._waiting[0]
            free = [actor for actor in self._actors if actor.awaited is None]
            if not free:
                return
            actor = min(free, key=lambda actor: actor.number != worker)
            self._waiting.popleft()
            actor.worker = worker
            self._liveness.begin_trial(actor.number)
            train = actor.handle.train.options(num_returns="streaming")
            actor.events = train.remote(request)

    def _look(self) -> None:
        """Takes heartbeats, and notes that no actor trains, once a second."""
        from ray.exceptions import RayError

        self._liveness.tick()
        now = self._liveness.now
        if now - self._looked_at < SECONDS_BETWEEN_LOOKS:
            return
        self._looked_at = now
        for actor in self._actors:
            if actor.heartbeat is None or not self._is_there(actor.heartbeat):
                continue
            try:
                self._ray.get(actor.heartbeat)
            except RayError:
                if actor.events is None:  # else they will tell
                    self._lose(actor, WorkerDied("it is gone"))
                    continue
            self._liveness.heartbeat(actor.number)
            actor.heartbeat = self._call(actor, "heartbeat")
        if not self._waiting or any(actor.events is not None for actor in self._actors):
            self._trained_at, self._is_stranded = now, False
        elif now - self._trained_at >= _SECONDS_STRANDED and not self._is_stranded:
            self._is_stranded = True
            self._notes.append("no node of the Ray cluster has room for a worker: waiting for one")

    def _tell(self, worker: int, method: str, *args: object) -> None:
        """Calls the actor that trains for a worker."""
        for actor in self._actors:
            if actor.events is not None and actor.worker == worker:
                self._call(actor, method, *args)

    def _call(self, actor: _Actor, method: str, *args: object, **options: Any) -> Any:
        """A reference to what a method of an actor answers while it trains."""
        chosen = getattr(actor.handle, method).options(concurrency_group=CONTROL, **options)
        return chosen.remote(*args)

    def _is_there(self, reference: Any, seconds: float = 0.0) -> bool:
        return bool(self._ray.wait([reference], timeout=seconds)[0])
