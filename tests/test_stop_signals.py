"""Signals as exceptions that a process survives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from processes import start

from search.study.stop_signals import Interrupted, Stopping, Terminated

CAUGHT = """
import os, signal, sys
from search.study.stop_signals import Stopping
stopping = Stopping()
try:
    with stopping.listen():
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


LOST = """
import os, signal, sys
from search.study.stop_signals import Stopping
class Freed:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
stopping = Stopping()
with stopping.listen():
    Freed()
try:
    stopping.check()
except KeyboardInterrupt:
    print("raised again")
"""


def test_a_signal_that_comes_while_an_object_is_freed_prints_no_traceback() -> None:
    done = subprocess.run([sys.executable, "-c", LOST], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("raised again\n", "")


def test_afterwards_signals_do_what_they_did_before() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    with Stopping().listen():
        assert [signal.getsignal(number) for number in numbers] != before
    assert [signal.getsignal(number) for number in numbers] == before


def test_the_first_signal_waits_for_what_is_under_way_and_the_second_does_not() -> None:
    stopping = Stopping()
    with stopping.listen():
        with stopping.held():
            os.kill(os.getpid(), signal.SIGTERM)
            done = True
        with pytest.raises(Terminated):
            stopping.check()
        with pytest.raises(Interrupted), stopping.held():
            os.kill(os.getpid(), signal.SIGINT)
    assert done
