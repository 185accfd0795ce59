"""Signals as exceptions that a process survives."""

from __future__ import annotations

import signal

import pytest
from processes import start

CAUGHT = """
import os, signal, sys
from search.study.stop_signals import Stopping
stopping = Stopping()
stopping.listen()
try:
    exec("os.kill(os.getpid(), int(sys.argv[1]))")
except KeyboardInterrupt as stop:
    print(type(stop).__name__)
try:
    stopping.check()
except KeyboardInterrupt:
    sys.exit(5)
"""


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGINT, "Interrupted"), (signal.SIGTERM, "Terminated")]
)
def test_a_signal_that_was_caught_is_remembered_and_does_not_choose_the_exit_code(
    number: signal.Signals, name: str
) -> None:
    """Whatever the code was doing: CPython minds code that is run from a string."""
    process = start(CAUGHT, str(int(number)))
    output, _ = process.communicate()
    assert (process.returncode, output) == (5, f"{name}\n")
