"""A worker in the process that asks: its time limit, and what an interruption keeps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import jax
import pytest
from records import mixer

from runs.record import Failure
from search import data as images
from search.protocol import (
    Broken,
    CheckpointPolicy,
    EpochDone,
    Finished,
    RequestDone,
    Started,
    TrialRequest,
    WorkerDied,
)
from search.spec.recipe import Recipe
from search.workers.in_process import InProcess, open_in_process


@pytest.fixture(scope="module")
def worker() -> Iterator[InProcess]:
    data = images.load("digits", train_limit=300)
    with open_in_process("cpu", trial_seconds=3600) as start_workers:
        yield start_workers(data)


@pytest.fixture
def request_(tmp_path: Path) -> TrialRequest:
    return TrialRequest(
        numbers=(3,),
        seeds=(0,),
        config=mixer(patch_size=4, hidden_dim=16, num_blocks=1),
        recipe=Recipe(epochs=3, batch_size=32),
        checkpointing=CheckpointPolicy(tmp_path / "3.checkpoint", every_seconds=3600),
    )


def until(worker: InProcess, *ends: type) -> list[object]:
    """What it tells up to one of these."""
    told: list[object] = []
    while not told or not isinstance(told[-1], ends):
        told.append(worker.next()[1])
    return told


def kinds(told: list[object]) -> list[str]:
    return [type(event).__name__ for event in told]


def test_a_request_is_told_as_by_a_process(worker: InProcess, request_: TrialRequest) -> None:
    worker.compile_ahead(0, request_.config, request_.recipe, 1)
    worker.start(0, request_)
    told = until(worker, RequestDone)
    assert kinds(told) == ["Started", *["EpochDone"] * 3, "Finished", "RequestDone"]
    assert worker.environment.device_kind == "cpu"


def test_a_rung_ends_a_request(worker: InProcess, request_: TrialRequest) -> None:
    worker.start(0, replace(request_, rungs=(1,)))
    told = until(worker, EpochDone)
    worker.decide(0, goes_on=False)
    assert kinds([*told, *until(worker, RequestDone)]) == [
        *("Started", "EpochDone", "Finished", "RequestDone")
    ]


def test_what_was_trained_before_the_time_limit_serves_under_a_higher_one(
    worker: InProcess, request_: TrialRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(worker, "_limit", 1e-9)
        worker.start(0, request_)
        *before, died = until(worker, WorkerDied)
    assert kinds(before) == ["Started", "EpochDone"]
    assert isinstance(died, WorkerDied)
    assert (died.failure, died.may_retry) == (Failure.TIMEOUT, False)
    assert "--trial-timeout" in died.reason
    worker.start(0, request_)
    started, *rest = until(worker, RequestDone)
    assert isinstance(started, Started)
    assert [epoch.epoch for epoch in started.epochs] == [1]
    assert kinds(rest) == ["EpochDone", "EpochDone", "Finished", "RequestDone"]


def test_a_trial_whose_last_epoch_was_late_is_finished(
    worker: InProcess, request_: TrialRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_limit", 1e-9)
    worker.start(0, replace(request_, recipe=Recipe(epochs=1, batch_size=32)))
    assert isinstance(until(worker, RequestDone)[-2], Finished)


def test_an_interruption_keeps_the_epoch_that_was_trained_last(
    worker: InProcess, request_: TrialRequest
) -> None:
    worker.start(0, request_)
    until(worker, EpochDone)
    worker.interrupt()
    assert kinds(until(worker, RequestDone)) == ["RequestDone"], "it trains no further"
    worker.start(0, request_)
    started = worker.next()[1]
    assert isinstance(started, Started)
    assert [epoch.epoch for epoch in started.epochs] == [1]


def test_a_device_that_fails_is_told_as_the_death_of_the_worker(
    worker: InProcess, request_: TrialRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> Iterator[object]:
        raise jax.errors.JaxRuntimeError("INTERNAL: the device is gone")
        yield

    monkeypatch.setattr("search.train.engine.train", fails)
    worker.start(0, request_)
    event = worker.next()[1]
    assert event == WorkerDied("its device failed: INTERNAL: the device is gone")
    assert not isinstance(event, Broken)
