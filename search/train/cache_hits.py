"""Whether a program was compiled or came from the cache: JAX says so only to those who listen."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import jax


class Hits(threading.local):
    """How many programs this thread has read from the cache."""

    count = 0


_hits = Hits()


def _listen(event: str, **_: object) -> None:
    if event == "/jax/compilation_cache/cache_hits":
        _hits.count += 1


jax.monitoring.register_event_listener(_listen)


@contextmanager
def counted_hits() -> Iterator[Hits]:
    """Counts from zero what this thread reads from the cache inside the block."""
    _hits.count = 0
    yield _hits
