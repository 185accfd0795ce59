"""Kills at random moments, of the real command: nothing is lost, nothing is twice.

A few of each in every run of the tests, and all of them in `make test-faults`.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres import Server
from study_processes import (
    StudyRun,
    epochs_of_running,
    finished,
    verify,
    went_on_after,
    without_weights,
)

from runs.storage import beside


def repeats(few: int, many: int) -> list[object]:
    """A parameter: a few in the fast tests, all in the slow ones."""
    return [few, pytest.param(many, marks=pytest.mark.slow)]


@pytest.fixture
def storage(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/results.db"


def finish(storage: str, folder: Path, more: int = 2) -> str:
    """Goes on to a few trials more than there are, and looks whether all is as it should be."""
    goal = finished(storage) + more
    code, output = StudyRun(storage, goal, folder).end()
    assert code == 0, output
    verify(storage, goal, folder)
    assert not list(beside(storage, "checkpoints").rglob("*.checkpoint"))
    return output


@pytest.mark.fault("a worker killed (SIGKILL) at a random moment")
@pytest.mark.parametrize("times", repeats(1, 50))
def test_a_worker_killed_at_a_random_moment(storage: str, tmp_path: Path, times: int) -> None:
    """A trial whose worker dies twice has failed, which random kills seldom do."""
    chance = random.Random(times)
    run = StudyRun(storage, 10_000, tmp_path)
    for _ in range(times):
        before = finished(storage)
        assert run.wait_until(lambda b=before: finished(storage) > b and len(run.workers()) == 2)  # type: ignore[misc]
        time.sleep(chance.uniform(0, 1))
        os.kill(chance.choice(run.workers()), signal.SIGKILL)
    assert run.process.poll() is None
    run.process.send_signal(signal.SIGINT)
    code, output = run.end()
    assert code == 130, output
    finish(storage, tmp_path)


@pytest.mark.fault(
    "coordinator and workers killed (SIGKILL) at a random moment, same command again"
)
@pytest.mark.parametrize("times", repeats(1, 50))
def test_everything_killed_at_a_random_moment(storage: str, tmp_path: Path, times: int) -> None:
    """The same command goes on, and trains again at most the epoch it was about to keep."""
    chance = random.Random(times)
    recorded: dict[int, int] = {}
    gone_on = 0
    for _ in range(times):
        run = StudyRun(storage, 10_000, tmp_path)
        run.wait_until(run.listens)
        time.sleep(chance.uniform(0, 8))
        gone_on += went_on(run.kill(), recorded)
        recorded = epochs_of_running(storage)
    gone_on += went_on(finish(storage, tmp_path), recorded)
    assert not without_weights(storage), "a trial ends with its weights, or is trained on"
    assert gone_on >= times // 10


def went_on(output: str, recorded: dict[int, int]) -> int:
    """How many trials went on from their last epoch, or from the one before, as all must."""
    found = went_on_after(output)
    for number, epoch in found.items():
        assert epoch >= recorded[number] - 1, output
    return len(found)


@pytest.mark.fault("SIGINT, SIGTERM at a random moment, same command again")
@pytest.mark.parametrize("times", repeats(1, 20))
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_at_a_random_moment(
    storage: str, tmp_path: Path, number: signal.Signals, code: int, times: int
) -> None:
    chance = random.Random(times)
    for _ in range(times):
        run = StudyRun(storage, 10_000, tmp_path)
        run.wait_until(run.listens)
        time.sleep(chance.uniform(0, 8))
        run.process.send_signal(number)
        ended, output = run.end()
        assert ended == code, output
        assert "Go on with the same command: python -m search.run" in output.splitlines()[-1]
        assert "Traceback" not in output
    finish(storage, tmp_path)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.remove()


@pytest.mark.fault("PostgreSQL stopped at once and started again during a study")
@pytest.mark.parametrize("times", repeats(1, 10))
def test_a_server_stopped_at_a_random_moment(server: Server, tmp_path: Path, times: int) -> None:
    chance = random.Random(times)
    storage, goal = server.new_database(), 4 * times + 4
    run = StudyRun(storage, goal, tmp_path)
    for count in range(times):
        assert run.wait_until(lambda c=count: finished(storage) > c)  # type: ignore[misc]
        time.sleep(chance.uniform(0, 1))
        server.stop()
        time.sleep(chance.uniform(0, 3))
        server.start()
    code, output = run.end()
    assert code == 0, output
    assert "the database is back after" in output
    verify(storage, goal, tmp_path)


@pytest.mark.fault("PostgreSQL frozen (SIGSTOP) for 60 s during a study")
@pytest.mark.slow
def test_a_server_frozen_for_a_minute(server: Server, tmp_path: Path) -> None:
    storage = server.new_database()
    run = StudyRun(storage, 8, tmp_path)
    assert run.wait_until(lambda: finished(storage) > 0)
    server.freeze()
    time.sleep(60)
    server.thaw()
    code, output = run.end()
    assert code == 0, output
    assert "connection timeout expired" in output
    assert "the database is back after" in output
    assert "starts again" not in output
    verify(storage, 8, tmp_path)


@pytest.mark.slow
@pytest.mark.fault("SIGINT while PostgreSQL is frozen")
def test_ctrl_c_while_the_server_is_frozen(server: Server, tmp_path: Path) -> None:
    storage = server.new_database()
    run = StudyRun(storage, 10_000, tmp_path)
    assert run.wait_until(lambda: finished(storage) > 0)
    server.freeze()
    try:
        time.sleep(2)
        run.process.send_signal(signal.SIGINT)
        code, output = run.end()
    finally:
        server.thaw()
    assert code == 130, output
    assert "Go on with the same command" in output.splitlines()[-1]
    finish(storage, tmp_path)
