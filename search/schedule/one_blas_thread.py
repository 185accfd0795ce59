"""Linear algebra of small matrices on one thread.

A proposal takes thousands of operations on matrices of a few hundred rows. Shared out,
each waits for the slowest thread, and longest where networks train on the same cores.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController


def one_blas_thread() -> Any:
    """A context manager in which this process's BLAS uses one thread."""
    return _controller().limit(limits=1, user_api="blas")


@cache
def _controller() -> ThreadpoolController:
    """Of the libraries that are loaded by the first proposal: finding them takes a while."""
    return ThreadpoolController()
