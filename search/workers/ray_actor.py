"""The life of a Ray actor that trains: its device, then request after request."""

from __future__ import annotations

import gc
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING

from search.protocol import Broken, CheckpointPolicy, Event, Ready, Refusal, TrialRequest, Warned
from search.spec.recipe import Recipe
from search.train.compile_cache import use_compile_cache
from search.train.machine import memory_fraction
from search.train.xla_options import use_xla_options
from space.config import Config
from space.errors import MixerSearchError

if TYPE_CHECKING:
    from search.data import ImageData
    from search.protocol import StartWeights
    from search.train.engine import Engine

CONTROL = "control"
"""The thread of an actor that answers while another one trains: runs all methods but `train`."""


class RayWorker:
    """Trains what it is asked to, one request at a time.

    The coordinator names this class and must not load JAX: it is imported in the actor's process,
    once that knows its share.

    Args:
        device_kind: as `search.train.devices.choose` takes it.
        num_cores: what it may use of its node.
        per_device: how many share its accelerator.
    """

    def __init__(self, device_kind: str, num_cores: int, per_device: int = 1) -> None:
        os.environ["PJRT_NPROC"] = str(max(1, num_cores))  # of XLA's thread pools
        if device_kind == "cpu":
            os.environ["JAX_PLATFORMS"] = "cpu"  # what Ray does not know of is not ours
        elif not any(name.endswith("CLIENT_MEM_FRACTION") for name in os.environ):
            os.environ["XLA_CLIENT_MEM_FRACTION"] = memory_fraction(per_device)
        self._device_kind = device_kind
        self._engine: Engine | None = None
        self._ready: Ready | None = None
        self._decisions: SimpleQueue[bool] = SimpleQueue()
        self._interrupted = threading.Event()
        self._trains = False
        self._ended: CheckpointPolicy | None = None
        self._warnings: list[str] = []
        use_xla_options()
        use_compile_cache(self._warnings.append)
        import search.train.engine  # noqa: F401  while the coordinator reads the images

    def ready(self, setup: tuple[ImageData, StartWeights | None]) -> tuple[Ready | Refusal, str]:
        """Puts the images on the device, unless they are there; with the name of the node."""
        if self._trains:
            os._exit(1)  # the coordinator has given up what is trained, or the device: begin anew
        node = platform.node()
        if self._ready is None:
            try:
                self._ready = self._begin(*setup)
            except MixerSearchError as error:
                return Refusal(str(error)), node
        return self._ready, node

    def train(self, request: TrialRequest) -> Iterator[Event | Broken]:
        """As `search.train.engine.Engine.run`."""
        assert self._engine is not None, "an actor is asked to train when it is ready"
        self._trains = True
        self._discard()
        yield from map(Warned, self._warnings)
        self._warnings = []
        for event in self._engine.run(request, self._decisions.get, self._interrupted.is_set):
            yield event
            if isinstance(event, Broken):
                return  # `ready` ends this process
        self._ended = request.checkpointing
        self._trains = False

    def compile_ahead(self, config: Config, recipe: Recipe, num_seeds: int) -> None:
        """Begins to compile what will be requested next."""
        assert self._engine is not None, "an actor that trains is ready"
        self._engine.compile_ahead(config, recipe, num_seeds)

    def decide(self, goes_on: bool) -> None:
        """What the coordinator decides, at a rung or about weights."""
        self._decisions.put(goes_on)

    def interrupt(self) -> None:
        """After the epoch under way, a checkpoint is kept and `train` ends."""
        self._interrupted.set()
        self._decisions.put(False)  # the coordinator decides no more

    def heartbeat(self) -> None:
        """Answers, as a process that lives does."""

    def _begin(self, images: ImageData, start: StartWeights | None) -> Ready:
        from search.train.device_data import put
        from search.train.devices import choose
        from search.train.engine import Engine
        from search.train.environment import find_environment

        device = choose(self._device_kind)
        self._engine = Engine(put(images, device, start), device, start=start)
        gc.freeze()  # what is there stays: tracing makes much garbage, and is a tenth faster
        gc.set_threshold(50_000)
        return Ready(find_environment(device), device.platform)

    def _discard(self) -> None:
        """Removes the checkpoint of trials that have ended, where the coordinator cannot see it."""
        if self._ended and not self._ended.keeps_last:
            with suppress(OSError):
                self._ended.file.unlink(missing_ok=True)
        self._ended = None
