"""Workers that do not do what they should, each in a process of its own."""

from __future__ import annotations

import os
import time
from multiprocessing.connection import Connection
from typing import Any


def device_fails(pipe: Connection) -> None:
    """Trains as any worker does, on a device that fails within the trial of seed 1."""
    import jax

    import search.train.engine
    from search.workers.worker import work

    train = search.train.engine.train

    def train_or_fail(request: Any, *args: Any) -> Any:
        for event in train(request, *args):
            yield event
            if request.seeds == (1,):
                raise jax.errors.JaxRuntimeError("INTERNAL: illegal address\nand much more")

    search.train.engine.train = train_or_fail
    work(pipe)


def hangs(pipe: Connection) -> None:
    """Reads nothing and says nothing."""
    time.sleep(3600)


def ends(pipe: Connection) -> None:
    """At once."""
    os._exit(7)
