"""The life of a process that trains: its device, then request after request."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
import traceback
from multiprocessing.connection import Connection
from queue import SimpleQueue

from search.protocol import (
    Alive,
    Announcement,
    Decision,
    Interruption,
    Ready,
    Refusal,
    RequestDone,
    Setup,
    Started,
    TrialRequest,
    WorkerCrashed,
)
from search.train.device_data import put
from search.train.devices import choose
from search.train.engine import Engine
from search.train.environment import find_environment
from space.errors import MixerSearchError

_SECONDS_BETWEEN_HEARTBEATS = 5.0


def work(pipe: Connection) -> None:
    """Trains what the pipe brings and sends events back through it; never returns."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the coordinator
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    channel = _WorkerChannel(pipe)
    try:
        setup: Setup = pipe.recv()
        device = choose(setup.device_kind)
        with Engine(
            put(setup.images, device, setup.start), device, setup.sharers, setup.start
        ) as engine:
            threading.Thread(target=lambda: channel.listen(engine), daemon=True).start()
            gc.freeze()  # what is there stays: tracing makes much garbage, and is a tenth faster
            gc.set_threshold(50_000)
            channel.tell(Ready(find_environment(device), device.platform))
            threading.Thread(target=channel.send_heartbeats, daemon=True).start()
            while True:
                request = channel.next_request()
                for event in engine.run(request, channel.goes_on, channel.is_interrupted):
                    channel.tell(event)
                channel.tell(RequestDone())
    except (EOFError, BrokenPipeError):
        pass  # the coordinator has gone
    except MixerSearchError as error:
        channel.tell(Refusal(str(error)))
    except Exception:
        channel.tell(WorkerCrashed(traceback.format_exc()))
    os._exit(0)  # a compilation under way is not waited for


class _WorkerChannel:
    """The pipe to the coordinator: messages come in and go out while the main thread trains."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._sending = threading.Lock()
        self._requests: SimpleQueue[TrialRequest] = SimpleQueue()
        self._decisions: SimpleQueue[Decision] = SimpleQueue()
        self._interrupted = threading.Event()
        self._trains = False

    def tell(self, message: object) -> None:
        """Sends a message to the coordinator; from any thread."""
        if isinstance(message, Started | RequestDone):
            self._trains = isinstance(message, Started)
        with self._sending:
            self._pipe.send(message)
        if isinstance(message, RequestDone) and self._interrupted.is_set():
            os._exit(0)

    def next_request(self) -> TrialRequest:
        return self._requests.get()

    def goes_on(self) -> bool:
        """Waits, at a rung or with weights, for what the coordinator decides."""
        return self._decisions.get().goes_on

    def is_interrupted(self) -> bool:
        return self._interrupted.is_set()

    def listen(self, engine: Engine) -> None:
        """Takes what the coordinator sends; ends this process when the coordinator has gone."""
        while True:
            try:
                message = self._pipe.recv()
            except (EOFError, OSError):
                os._exit(0)
            match message:
                case Announcement(config, recipe, num_seeds):
                    engine.compile_ahead(config, recipe, num_seeds)
                case Decision():
                    self._decisions.put(message)
                case Interruption():
                    self._interrupted.set()
                    self._decisions.put(Decision(goes_on=False))  # the coordinator decides no more
                    if not self._trains:
                        os._exit(0)
                case _:
                    self._requests.put(message)

    def send_heartbeats(self) -> None:
        """Tells the coordinator every few seconds that this process lives."""
        while True:
            time.sleep(_SECONDS_BETWEEN_HEARTBEATS)
            try:
                self.tell(Alive())
            except OSError:
                os._exit(0)
