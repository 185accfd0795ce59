"""The life of a process that trains: its device, then request after request."""

from __future__ import annotations

import gc
import os
import signal
import threading
import traceback
from multiprocessing.connection import Connection
from queue import SimpleQueue

from search.device_data import put
from search.devices import choose
from search.engine import Engine
from search.messages import Announcement, Bug, Decision, Idle, Ready, Refusal, Setup, TrialRequest
from search.surroundings import surroundings
from space.errors import MixerSearchError


def work(pipe: Connection) -> None:
    """Trains what comes through the pipe, and tells through it; never returns."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the coordinator, who ends us
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        setup: Setup = pipe.recv()
        device = choose(setup.device_kind)
        with Engine(put(setup.images, device), device) as engine:
            requests: SimpleQueue[TrialRequest] = SimpleQueue()
            decisions: SimpleQueue[Decision] = SimpleQueue()
            told = (pipe, engine, requests, decisions)
            listener = threading.Thread(target=_listen, args=told, daemon=True)
            listener.start()
            gc.freeze()  # what is there stays: tracing makes much garbage, and is a tenth faster
            gc.set_threshold(50_000)
            pipe.send(Ready(surroundings(device), device.platform))
            while True:
                for event in engine.run(requests.get(), lambda: decisions.get().goes_on):
                    pipe.send(event)
                pipe.send(Idle())
    except (EOFError, BrokenPipeError):
        pass  # the coordinator is no more
    except MixerSearchError as error:
        pipe.send(Refusal(str(error)))
    except Exception:
        pipe.send(Bug(traceback.format_exc()))
    os._exit(0)  # a compilation under way is not waited for


def _listen(
    pipe: Connection,
    engine: Engine,
    requests: SimpleQueue[TrialRequest],
    decisions: SimpleQueue[Decision],
) -> None:
    """Takes what the coordinator sends while the main thread trains."""
    while True:
        try:
            message = pipe.recv()
        except (EOFError, OSError):
            os._exit(0)
        if isinstance(message, Announcement):
            engine.announce(message.config, message.recipe, message.num_seeds)
        elif isinstance(message, Decision):
            decisions.put(message)
        else:
            requests.put(message)
