"""Processes that train: what they tell, how they die, and what they cannot have."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import jax
import pytest
from broken_workers import (
    device_fails,
    ends,
    freezes_in,
    hangs,
    replaced_by,
    starts_late,
)
from one_worker import OneWorker
from records import mixer

from runs.record import Failure
from search import data as images
from search.protocol import (
    CheckpointPolicy,
    EpochDone,
    Event,
    Failed,
    Finished,
    Predicted,
    RequestDone,
    Started,
    TrialRequest,
    WeightsOffered,
    WeightsSent,
    WorkerDied,
)
from search.spec.recipe import Recipe
from search.train.checkpoint import load
from search.train.device_data import put
from search.train.devices import DeviceError, memory_bytes, step_bytes_needed
from search.train.engine import Engine
from search.train.environment import find_environment
from search.train.machine import count_accelerators, memory_limit, num_cores, share
from search.workers.processes import Processes, WorkerError, WorkerStartError, open_workers
from space.config import Config

RECIPE = Recipe(epochs=2, batch_size=64)
SMALL, LARGE = mixer(num_blocks=1), mixer(num_blocks=2)

needs_two_cores = pytest.mark.skipif(num_cores() < 2, reason="two workers need two cores")


def request(number: int, config: Config = SMALL, *, epochs: int = 2) -> TrialRequest:
    recipe = RECIPE.model_copy(update={"epochs": epochs})
    return TrialRequest(numbers=(number,), seeds=(number,), config=config, recipe=recipe)


@pytest.fixture
def two() -> Iterator[Processes]:
    with closing(Processes(count=2, device_kind="cpu")) as workers:
        yield workers.start_workers(images.load("digits", train_limit=256))


def until_idle(workers: Processes | OneWorker, count: int) -> dict[int, list[Event]]:
    """All events by worker, until so many are idle."""
    told: dict[int, list[Event]] = {}
    while count:
        worker, event = workers.next()
        if isinstance(event, RequestDone | WorkerDied):
            count -= 1
        else:
            told.setdefault(worker, []).append(event)
    return told


def curve(events: list[Event]) -> list[tuple[float, ...]]:
    return [
        (e.train_loss, e.train_accuracy, e.validation_loss, e.validation_accuracy, e.learning_rate)
        for event in events
        if isinstance(event, EpochDone)
        for e in event.epochs
    ]


def predicted(events: list[Event]) -> list[list[int]]:
    return [event.classes.tolist() for event in events if isinstance(event, Predicted)]


@needs_two_cores
def test_two_processes_train_side_by_side_what_one_would(two: Processes) -> None:
    requests = [request(0), replace(request(1, LARGE), predicts=True)]
    for worker, wanted in enumerate(requests):
        two.compile_ahead(worker, wanted.config, wanted.recipe, 1)
        two.start(worker, wanted)
    told = until_idle(two, 2)
    device = jax.devices("cpu")[0]
    data = put(images.load("digits", train_limit=256), device)
    with Engine(data, device) as engine:
        here = OneWorker(engine, find_environment(device))
        for worker, wanted in enumerate(requests):
            here.start(0, wanted)
            alone = until_idle(here, 1)[0]
            assert curve(told[worker]) == [pytest.approx(row) for row in curve(alone)]
            ends = [Predicted, Finished] if wanted.predicts else [Finished]
            assert [type(e) for e in told[worker]] == [Started, EpochDone, EpochDone, *ends]
            assert predicted(told[worker]) == predicted(alone)
    assert two.environment == here.environment


@needs_two_cores
def test_a_process_waits_at_a_rung_for_what_is_decided(two: Processes) -> None:
    for worker in (0, 1):
        two.start(worker, replace(request(worker, epochs=3), rungs=(1,)))
    epochs = {0: 0, 1: 0}
    idle = 0
    while idle < 2:
        worker, event = two.next()
        if isinstance(event, EpochDone):
            epochs[worker] += 1
            if event.epochs[0].epoch == 1:
                two.decide(worker, goes_on=worker == 1)
        idle += isinstance(event, RequestDone)
    assert epochs == {0: 1, 1: 3}


@needs_two_cores
def test_a_process_that_is_killed_is_replaced_and_the_other_trains_on(two: Processes) -> None:
    two.start(0, request(0, epochs=5000))
    two.start(1, request(1))
    pid = two._handles[0].process.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    ends = []
    while len(ends) < 2:
        worker, event = two.next()
        if isinstance(event, RequestDone | WorkerDied):
            ends.append((worker, event))
    assert sorted(ends) == [(0, WorkerDied("killed by SIGKILL")), (1, RequestDone())]
    two.start(0, request(0))
    assert isinstance(until_idle(two, 1)[0][-1], Finished)


@pytest.mark.slow
@needs_two_cores
def test_a_replacement_that_is_killed_at_its_start_is_replaced_too() -> None:
    with closing(Processes(count=1, device_kind="cpu")) as workers:
        workers.start_workers(images.load("digits", train_limit=256))
        workers.start(0, request(0, epochs=5000))
        first = process_of(workers, 0)

        def kill_the_next() -> None:
            while (second := process_of(workers, 0)) == first:
                time.sleep(0.01)
            os.kill(second, signal.SIGKILL)

        os.kill(first, signal.SIGKILL)
        killer = threading.Thread(target=kill_the_next)
        killer.start()
        assert first_loss(workers) == (0, WorkerDied("killed by SIGKILL"))
        killer.join()
        workers.start(0, request(0))
        assert isinstance(until_idle(workers, 1)[0][-1], Finished)


@pytest.mark.fault("a worker killed whose replacement takes long to start")
@needs_two_cores
def test_a_worker_at_a_rung_is_answered_while_the_replacement_of_another_starts(
    tmp_path: Path,
) -> None:
    release = tmp_path / "release"
    work = partial(replaced_by, starts=tmp_path, replacement=partial(starts_late, release=release))
    with closing(Processes(count=2, device_kind="cpu", seconds_to_start=60, work=work)) as workers:
        workers.start_workers(images.load("digits", train_limit=256))
        workers.start(0, request(0, epochs=5000))
        workers.start(1, replace(request(1), rungs=(1,)))
        until_trained(workers, 1)
        os.kill(process_of(workers, 0), signal.SIGKILL)
        assert first_loss(workers) == (0, WorkerDied("killed by SIGKILL"))
        workers.start(0, request(0))
        workers.decide(1, goes_on=True)
        told = until_idle(workers, 1)
        assert {worker: [*map(type, events)] for worker, events in told.items()} == {
            1: [EpochDone, Finished]
        }
        release.touch()
        assert [type(e) for e in until_idle(workers, 1)[0]] == [
            *(Started, EpochDone, EpochDone, Finished)
        ]


@pytest.mark.parametrize(
    ("replacement", "seconds", "says"),
    [
        (hangs, 2, "worker 0 was not ready after 2 s; see that its device is free"),
        (ends, 60, r"worker 0 ended at its start \(exit code 7\); see that there is memory left"),
    ],
)
def test_three_replacements_that_do_not_become_ready_are_a_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    replacement: Callable[[Connection], None],
    seconds: float,
    says: str,
) -> None:
    work = partial(replaced_by, starts=tmp_path, replacement=replacement)
    with closing(Processes(count=1, device_kind="cpu", work=work)) as workers:
        workers.start_workers(images.load("digits", train_limit=256))
        workers._seconds_to_start = seconds
        spawned: list[int] = []
        spawn = workers._spawn
        monkeypatch.setattr(workers, "_spawn", lambda *a: (spawned.append(a[0]), spawn(*a))[1])
        workers.start(0, request(0, epochs=5000))
        os.kill(process_of(workers, 0), signal.SIGKILL)
        assert first_loss(workers) == (0, WorkerDied("killed by SIGKILL"))
        with pytest.raises(WorkerStartError, match=says):
            workers.next()
    assert spawned == [0, 0, 0]


@pytest.mark.fault("a device that fails under what it trains")
@needs_two_cores
def test_a_process_whose_device_fails_is_replaced_and_the_other_trains_on() -> None:
    with closing(Processes(count=2, device_kind="cpu", work=device_fails)) as workers:
        workers.start_workers(images.load("digits", train_limit=256))
        for number in (0, 1):
            workers.start(number, request(number))
        first, ends = process_of(workers, 1), set()
        while len(ends) < 2:
            worker, event = workers.next()
            if isinstance(event, RequestDone | WorkerDied):
                ends.add((worker, event))
        lost = WorkerDied("its device failed: INTERNAL: illegal address")
        assert ends == {(0, RequestDone()), (1, lost)}
        assert process_of(workers, 1) != first
        workers.start(1, request(2))
        assert isinstance(until_idle(workers, 1)[1][-1], Finished)


@pytest.mark.fault("a worker that freezes (SIGSTOP) as it sends weights")
def test_a_process_that_freezes_within_its_weights_is_replaced_and_the_result_is_there() -> None:
    work = partial(freezes_in, WeightsSent)
    workers = Processes(count=1, device_kind="cpu", silent_seconds=10, work=work)
    with closing(workers):
        workers.start_workers(images.load("digits", train_limit=256))
        workers._handles[0]._silent_seconds = 1
        workers.start(0, replace(request(0), weights_facts={}))
        told = []
        while not isinstance(event := workers.next()[1], WorkerDied):
            told.append(type(event))
            if isinstance(event, WeightsOffered):
                workers.decide(0, goes_on=True)
        assert told == [Started, EpochDone, EpochDone, Finished, WeightsOffered]
        assert event == WorkerDied("it stopped for 1 s as it sent results")


@pytest.mark.slow
@pytest.mark.fault("a worker that freezes (SIGSTOP) as it sends what it predicted")
def test_a_process_that_freezes_within_its_classes_is_replaced() -> None:
    work = partial(freezes_in, Predicted)
    workers = Processes(count=1, device_kind="cpu", silent_seconds=10, work=work)
    with closing(workers):
        workers.start_workers(images.load("digits", train_limit=256))
        workers._handles[0]._silent_seconds = 1
        workers.start(0, replace(request(0), predicts=True))
        assert first_loss(workers) == (0, WorkerDied("it stopped for 1 s as it sent results"))


@pytest.mark.parametrize(
    ("work", "says"),
    [
        (hangs, "worker 0 was not ready after 2 s; see that its device is free"),
        (ends, r"worker 0 ended at its start \(exit code 7\); see that there is memory left"),
    ],
)
def test_a_process_that_does_not_become_ready_is_a_sentence(
    work: Callable[[Connection], None], says: str
) -> None:
    with (
        closing(Processes(count=1, device_kind="cpu", seconds_to_start=2, work=work)) as workers,
        pytest.raises(WorkerStartError, match=says),
    ):
        workers.start_workers(images.load("digits"))


@needs_two_cores
def test_interrupted_while_a_replacement_starts_the_other_keeps_its_trial(tmp_path: Path) -> None:
    file = tmp_path / "1.checkpoint"
    kept = CheckpointPolicy(file, every_seconds=10**6)
    with closing(Processes(count=2, device_kind="cpu")) as workers:
        workers.start_workers(images.load("digits", train_limit=256))
        workers.start(1, replace(request(1, epochs=5000), checkpointing=kept))
        while not isinstance(workers.next()[1], EpochDone):
            pass
        workers._handles[0] = workers._spawn(0)  # as a replacement is for some seconds
        began = time.monotonic()
        workers.interrupt()
        assert time.monotonic() - began < 8, "nobody waits for it"
        assert load(file, request(1, epochs=5000)) is not None


def test_ctrl_c_is_not_for_a_process_that_is_starting() -> None:
    with closing(Processes(count=1, device_kind="cpu")) as workers:
        os.kill(process_of(workers, 0), signal.SIGINT)  # before it has run a line of ours
        workers.start_workers(images.load("digits", train_limit=256))
        workers.start(0, request(0))
        assert isinstance(until_idle(workers, 1)[0][-1], Finished)


def test_a_bug_in_a_process_shows_its_traceback(two: Processes) -> None:
    two.start(1, replace(request(0), config=None))  # type: ignore[arg-type]
    with pytest.raises(WorkerError, match=r"(?s)worker 1 .*Traceback .*AttributeError"):
        two.next()


@pytest.mark.parametrize(
    ("given", "seen"), [(None, ["0", "1", "2"]), ("5,3", ["5", "3", "-1"]), ("", ["", "-1", "-1"])]
)
def test_each_worker_sees_one_of_the_accelerators_that_may_be_used(
    monkeypatch: pytest.MonkeyPatch, given: str | None, seen: list[str]
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if given is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert [share(worker, 3)["CUDA_VISIBLE_DEVICES"] for worker in range(3)] == seen


def test_workers_that_share_an_accelerator_see_the_same_and_divide_its_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in (
        "CUDA_VISIBLE_DEVICES",
        "XLA_CLIENT_MEM_FRACTION",
        "XLA_PYTHON_CLIENT_MEM_FRACTION",
    ):
        monkeypatch.delenv(name, raising=False)
    shares = [share(worker, 8, per_device=4) for worker in range(8)]
    assert [s["CUDA_VISIBLE_DEVICES"] for s in shares] == [*"00001111"]
    assert [s["HIP_VISIBLE_DEVICES"] for s in shares] == [*"00001111"]
    assert sum(float(s["XLA_CLIENT_MEM_FRACTION"]) for s in shares[:4]) <= 0.9
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,3")
    assert share(7, 8, per_device=4)["CUDA_VISIBLE_DEVICES"] == "3"


def test_training_on_the_cpu_leaves_the_accelerators_alone() -> None:
    own = share(0, 2, device_kind="cpu")
    assert own["JAX_PLATFORMS"] == "cpu"
    assert not any(name.endswith("MEM_FRACTION") for name in own)


@pytest.mark.parametrize(
    ("groups", "files", "limit"),
    [
        ("0::/job/step\n", {"job/memory.max": "3000", "job/step/memory.max": "max"}, 3000),
        ("0::/job/step\n", {"job/memory.max": "3000", "job/step/memory.max": "2000"}, 2000),
        ("0::/\n", {"memory.max": "4000"}, 4000),  # as a container sees its own
        (
            "5:cpu:/a\n4:memory:/job\n",
            {"memory/job/memory.limit_in_bytes": "5000", "cpu/a/memory.max": "1"},
            5000,
        ),
        ("0::/job\n", {"job/memory.max": "max"}, None),
        ("0::/job\n", {"job/memory.max": str(2**62)}, None),
    ],
)
def test_the_least_limit_of_the_groups_around_a_process_holds(
    tmp_path: Path, groups: str, files: dict[str, str], limit: int | None
) -> None:
    own = tmp_path / "own"
    own.write_text(groups)
    for name, text in files.items():
        file = tmp_path / "cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
    of_the_machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert memory_limit(tmp_path / "cgroup", own) == (limit or of_the_machine)


def test_where_the_system_shows_no_groups_the_machine_has_its_memory(tmp_path: Path) -> None:
    of_the_machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert memory_limit(tmp_path / "none", tmp_path / "neither") == of_the_machine


@needs_two_cores
def test_two_workers_of_a_cpu_have_half_of_its_memory_each(two: Processes) -> None:
    limit = memory_limit()
    assert limit is not None
    assert memory_bytes(jax.devices("cpu")[0], sharers=2) == limit // 2
    too_large = mixer(hidden_dim=2**16, tokens_mlp_dim=2**8, channels_mlp_dim=2**10, num_blocks=20)
    need = step_bytes_needed(too_large, RECIPE.batch_size, jax.devices("cpu")[0])
    assert need > limit // 2
    two.start(0, request(0, too_large))
    (failed,) = until_idle(two, 1)[0]
    assert isinstance(failed, Failed)
    assert f"has {limit / 2 / 2**30:.2f}" in failed.reason


def test_workers_share_the_cores_out() -> None:
    for count in range(1, num_cores() + 1):
        assert int(share(0, count)["PJRT_NPROC"]) * count <= num_cores()


@needs_two_cores
def test_no_process_outlives_its_workers(two: Processes) -> None:
    two.start(0, request(0, epochs=5000))
    processes = [handle.process for handle in two._handles]
    two.close()
    assert [process.is_alive() for process in processes] == [False, False]


def test_a_tpu_chip_is_not_shared() -> None:
    with (
        pytest.raises(DeviceError, match="--workers-per-device 2: a TPU chip belongs to one"),
        open_workers(None, "tpu", per_device=2),
    ):
        pass


@pytest.mark.slow
@needs_two_cores
def test_on_a_cpu_so_many_workers_per_device_share_its_cores() -> None:
    with open_workers(None, "cpu", per_device=2) as start_workers:
        workers = start_workers(images.load("digits", train_limit=256))
        assert workers.count == 2
        for worker in (0, 1):
            workers.start(worker, request(worker))
        told = until_idle(workers, 2)
        assert [type(told[worker][-1]) for worker in (0, 1)] == [Finished, Finished]


def test_more_workers_than_cores_are_refused() -> None:
    count = num_cores() + 1
    with (
        pytest.raises(DeviceError, match=rf"--workers {count}: there are {count - 1} processor"),
        open_workers(count, "cpu"),
    ):
        pass
    with (
        pytest.raises(DeviceError, match=rf"--workers-per-device {count}, {count} workers in all"),
        open_workers(None, "cpu", per_device=count),
    ):
        pass


@needs_two_cores
def test_a_device_that_is_not_there_is_refused_by_the_processes_too() -> None:
    with (
        closing(Processes(count=2, device_kind="cuda")) as workers,
        pytest.raises(DeviceError, match="--device cuda: JAX finds no such device"),
    ):
        workers.start_workers(images.load("digits", train_limit=64))


def until_trained(workers: Processes, wanted: int) -> None:
    """An epoch of it."""
    while True:
        worker, event = workers.next()
        if worker == wanted and isinstance(event, EpochDone):
            return


def first_loss(workers: Processes) -> tuple[int, WorkerDied]:
    while True:
        worker, event = workers.next()
        if isinstance(event, WorkerDied):
            return worker, event


def process_of(workers: Processes, worker: int) -> int:
    pid = workers._handles[worker].process.pid
    assert pid is not None
    return pid


@pytest.mark.fault("a worker frozen (SIGSTOP) past its timeout, then woken")
@pytest.mark.parametrize("times", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_a_process_that_freezes_is_replaced_and_waking_it_changes_nothing(times: int) -> None:
    with closing(Processes(count=1, device_kind="cpu", silent_seconds=8)) as workers:
        workers.start_workers(images.load("digits", train_limit=256))
        for number in range(times):
            workers.start(0, request(number, epochs=5000))
            frozen = process_of(workers, 0)
            os.kill(frozen, signal.SIGSTOP)
            assert first_loss(workers) == (0, WorkerDied("it gave no sign of life for 8 s"))
            with pytest.raises(ProcessLookupError):
                os.kill(frozen, signal.SIGCONT)
            workers.start(0, request(number))
            assert [type(e) for e in until_idle(workers, 1)[0]] == [
                *(Started, EpochDone, EpochDone, Finished)
            ]


def test_a_trial_that_takes_too_long_is_ended_and_not_tried_again() -> None:
    with closing(Processes(count=1, device_kind="cpu", trial_seconds=8)) as workers:
        workers.start_workers(images.load("digits", train_limit=256))
        workers.start(0, request(0, epochs=10**6))
        why = "it took longer than 8s (--trial-timeout)"
        assert first_loss(workers) == (0, WorkerDied(why, Failure.TIMEOUT, 8))
        workers.start(0, request(0))
        assert isinstance(until_idle(workers, 1)[0][-1], Finished)


def test_time_in_which_the_coordinator_itself_stood_still_does_not_count() -> None:
    with closing(Processes(count=1, device_kind="cpu", silent_seconds=3.5)) as workers:
        workers.start_workers(images.load("digits", train_limit=256))
        workers._liveness._looked_at -= 24 * 3600  # a day of sleep, or of a debugger
        workers.start(0, request(0))
        assert isinstance(until_idle(workers, 1)[0][-1], Finished)


@needs_two_cores
def test_interrupted_processes_keep_their_trials_and_end(two: Processes, tmp_path: Path) -> None:
    files = [tmp_path / f"{worker}.checkpoint" for worker in (0, 1)]
    for worker, file in enumerate(files):
        kept = CheckpointPolicy(file, every_seconds=10**6)
        two.start(worker, replace(request(worker, epochs=5000), checkpointing=kept))
    trained: set[int] = set()
    while trained != {0, 1}:
        worker, event = two.next()
        if isinstance(event, EpochDone):
            trained.add(worker)
    two.interrupt()
    assert [load(file, request(w, epochs=5000)) is not None for w, file in enumerate(files)] == [
        *(True, True)
    ]
    for worker in (0, 1):
        two._handles[worker].process.join(5)
        assert not two._handles[worker].process.is_alive()


def test_a_machine_without_accelerators_has_one_worker(tmp_path: Path) -> None:
    assert count_accelerators("auto", devices=tmp_path) == 1
    (tmp_path / "nvidia0").touch()
    assert count_accelerators("cpu", devices=tmp_path) == 1
    assert count_accelerators("auto", devices=tmp_path) == 1  # JAX, when asked, finds none here
