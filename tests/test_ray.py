"""Workers on a Ray cluster: real ones on this machine, whose processes and nodes are killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import pytest
from ray_nodes import Nodes, cluster, needs_ray
from records import mixer
from safetensors.numpy import load as load_arrays

from runs.reader import StorageError, open_reader
from runs.record import Environment, Failure, Origin, State
from search import data as images
from search.protocol import (
    CheckpointPolicy,
    EpochDone,
    Event,
    Finished,
    Predicted,
    RequestDone,
    Started,
    TrialRequest,
    Warned,
    WeightsOffered,
    WeightsSent,
    WorkerDied,
)
from search.run import main as run
from search.spec.recipe import Recipe
from search.train.checkpoint import load
from search.train.device_data import put
from search.train.devices import DeviceError
from search.train.engine import Engine
from search.workers.processes import WorkerError
from search.workers.ray_cluster import ClusterError, Places, agreed, connected, find_places
from search.workers.ray_pool import RayWorkers
from space.config import Config
from space.cost import cost

ROOT = Path(__file__).parents[1]
SMALL, LARGE = mixer(num_blocks=1), mixer(num_blocks=2)
TWO = Places(count=2, device_kind="cpu", num_cores=1)


def request(number: int, config: Config = SMALL, *, epochs: int = 2) -> TrialRequest:
    recipe = Recipe(epochs=epochs, batch_size=64)
    return TrialRequest(numbers=(number,), seeds=(number,), config=config, recipe=recipe)


def at_rung(number: int) -> TrialRequest:
    """Waits after its first epoch."""
    return replace(request(number), rungs=(1,))


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with cluster(2) as started:
        yield started


@pytest.fixture
def two(nodes: Nodes) -> Iterator[RayWorkers]:
    with connected(nodes.address):
        yield ready(RayWorkers(TWO))


def ready(workers: RayWorkers) -> RayWorkers:
    return workers.start_workers(images.load("digits", train_limit=256))


def until_idle(
    workers: RayWorkers, count: int
) -> dict[int, list[Event | RequestDone | WorkerDied]]:
    """All that is told by worker, until so many have ended."""
    told: dict[int, list[Event | RequestDone | WorkerDied]] = {}
    while count:
        worker, event = workers.next()
        told.setdefault(worker, []).append(event)
        count -= isinstance(event, RequestDone | WorkerDied)
    return told


def until_trained(workers: RayWorkers, *numbers: int) -> None:
    """An epoch of each."""
    wanted = set(numbers)
    while wanted:
        worker, event = workers.next()
        if isinstance(event, EpochDone):
            wanted.discard(worker)


def curve(events: list[Event | RequestDone | WorkerDied]) -> list[tuple[float, ...]]:
    return [
        (e.train_loss, e.train_accuracy, e.validation_loss, e.validation_accuracy, e.learning_rate)
        for event in events
        if isinstance(event, EpochDone)
        for e in event.epochs
    ]


def process_of(workers: RayWorkers, worker: int) -> int:
    """The process that trains for a worker."""
    import ray

    (actor,) = [a for a in workers._actors if a.events is not None and a.worker == worker]
    pid: int = ray.get(workers._call(actor, "__ray_call__", lambda _: os.getpid()))
    return pid


@needs_ray
def test_actors_train_side_by_side_what_one_process_would(two: RayWorkers) -> None:
    requests = [replace(r, predicts=True) for r in (request(0), request(1, LARGE))]
    for worker, wanted in enumerate(requests):
        two.start(worker, wanted)
    told = until_idle(two, 2)
    device = jax.devices("cpu")[0]
    with Engine(put(images.load("digits", train_limit=256), device), device) as engine:
        for worker, wanted in enumerate(requests):
            alone = list(engine.run(wanted))
            assert curve(told[worker]) == [pytest.approx(row) for row in curve(alone)]
            assert [type(e) for e in told[worker]] == [
                Started,
                EpochDone,
                EpochDone,
                Predicted,
                Finished,
                RequestDone,
            ]
            here, there = (
                [e.classes.tolist() for e in events if isinstance(e, Predicted)]
                for events in (alone, told[worker])
            )
            assert there == here
    assert two.environment.device_kind == device.device_kind


@needs_ray
def test_an_actor_waits_at_a_rung_and_with_its_weights_for_what_is_decided(two: RayWorkers) -> None:
    for worker in (0, 1):
        wanted = replace(request(worker, epochs=3), rungs=(1,), weights_facts={"study": "s"})
        two.start(worker, wanted)
    epochs = {0: 0, 1: 0}
    idle, sent = 0, []
    while idle < 2:
        worker, event = two.next()
        if isinstance(event, EpochDone):
            epochs[worker] += 1
            if event.epochs[0].epoch == 1:
                two.decide(worker, goes_on=worker == 1)
        if isinstance(event, WeightsOffered):
            two.decide(worker, goes_on=True)
        if isinstance(event, WeightsSent):
            num_params = sum(array.size for array in load_arrays(event.content).values())
            sent.append((worker, event.trial, num_params))
        idle += isinstance(event, RequestDone)
    assert epochs == {0: 1, 1: 3}
    assert sent == [(1, 1, cost(SMALL).params)]


@needs_ray
def test_an_actor_that_is_killed_comes_back_and_the_other_trains_on(two: RayWorkers) -> None:
    for worker in (0, 1):
        two.start(worker, at_rung(worker))
    until_trained(two, 0, 1)
    os.kill(process_of(two, 0), signal.SIGKILL)
    two.decide(1, goes_on=True)
    told = until_idle(two, 2)
    lost = told[0][-1]
    assert isinstance(lost, WorkerDied)
    assert lost.reason.endswith("is gone")
    assert isinstance(told[1][-2], Finished)
    two.start(0, request(0))
    assert until_idle(two, 1)[0][-1] == RequestDone()


@pytest.mark.fault("a device that fails under what it trains")
@needs_ray
def test_an_actor_whose_device_fails_comes_back_and_the_other_trains_on(two: RayWorkers) -> None:
    import ray

    def break_device(actor: object) -> None:  # within a function: Ray takes its code along
        import search.train.engine

        train = search.train.engine.train

        def train_or_fail(request: TrialRequest, *args: Any) -> Iterator[Event]:
            for event in train(request, *args):
                yield event
                if request.seeds == (1,):
                    raise jax.errors.JaxRuntimeError("INTERNAL: illegal address\nand much more")

        search.train.engine.train = train_or_fail

    ray.get([two._call(actor, "__ray_call__", break_device) for actor in two._actors])
    for worker in (0, 1):
        two.start(worker, request(worker))
    told = until_idle(two, 2)
    assert told[1][-1] == WorkerDied("its device failed: INTERNAL: illegal address")
    assert isinstance(told[0][-2], Finished)
    two.start(1, request(2))
    assert until_idle(two, 1)[1][-1] == RequestDone()


@pytest.mark.slow
@needs_ray
def test_an_actor_that_freezes_is_replaced(nodes: Nodes) -> None:
    with connected(nodes.address):
        workers = ready(RayWorkers(replace(TWO, count=1), silent_seconds=4))
        workers.start(0, request(0, epochs=5000))
        until_trained(workers, 0)
        os.kill(process_of(workers, 0), signal.SIGSTOP)
        assert until_idle(workers, 1)[0][-1] == WorkerDied("it gave no sign of life for 4 s")
        workers.start(0, request(0))
        assert until_idle(workers, 1)[0][-1] == RequestDone()


@pytest.mark.slow
@needs_ray
def test_a_trial_that_takes_too_long_is_ended_and_not_tried_again(nodes: Nodes) -> None:
    with connected(nodes.address):
        workers = ready(RayWorkers(replace(TWO, count=1), trial_seconds=3))
        workers.start(0, request(0, epochs=10**6))
        why = "it took longer than 3s (--trial-timeout)"
        assert until_idle(workers, 1)[0][-1] == WorkerDied(why, Failure.TIMEOUT, 3)
        workers.start(0, request(0))
        assert isinstance(until_idle(workers, 1)[0][-2], Finished)


@needs_ray
def test_an_actor_that_was_given_up_while_it_trains_begins_anew(two: RayWorkers) -> None:
    """As when a connection breaks, and nobody dies."""
    two.start(0, request(0, epochs=10**6))
    until_trained(two, 0)
    (actor,) = [actor for actor in two._actors if actor.events is not None]
    before = process_of(two, 0)
    assert two._lose(actor, WorkerDied("cut off")) == (0, WorkerDied("cut off"))
    two.start(0, at_rung(0))
    two.start(1, at_rung(1))
    until_trained(two, 0, 1)
    assert before not in {process_of(two, 0), process_of(two, 1)}


@needs_ray
def test_interrupted_actors_keep_their_trials(two: RayWorkers, tmp_path: Path) -> None:
    files = [tmp_path / f"{worker}.checkpoint" for worker in (0, 1)]
    for worker, file in enumerate(files):
        kept = CheckpointPolicy(file, every_seconds=10**6)
        two.start(worker, replace(request(worker, epochs=5000), checkpointing=kept))
    until_trained(two, 0, 1)
    two.interrupt()
    for worker, file in enumerate(files):
        assert load(file, request(worker, epochs=5000)) is not None


@needs_ray
def test_an_actor_removes_checkpoints_that_only_it_can_see(nodes: Nodes, tmp_path: Path) -> None:
    with connected(nodes.address):
        workers = ready(RayWorkers(replace(TWO, count=1)))
        files = [tmp_path / f"{number}.checkpoint" for number in (0, 1)]
        for number, file in enumerate(files):
            kept = CheckpointPolicy(file, every_seconds=0)
            workers.start(0, replace(request(number, epochs=3), checkpointing=kept))
            until_idle(workers, 1)
            assert file.exists()
        assert not files[0].exists()


@needs_ray
def test_a_bug_in_an_actor_shows_its_traceback(two: RayWorkers) -> None:
    two.start(1, replace(request(0), config=None))  # type: ignore[arg-type]
    with pytest.raises(WorkerError, match=r"(?s)worker 1 .*AttributeError"):
        two.next()


@needs_ray
def test_workers_without_a_place_are_refused_with_a_sentence(nodes: Nodes) -> None:
    places = Places(count=2, device_kind="cpu", num_cores=2)
    with (
        connected(nodes.address),
        pytest.raises(ClusterError, match="none of 2 workers was ready in 1 s"),
    ):
        ready(RayWorkers(places, seconds_to_start=1))


FOUR_GPUS = {"CPU": 32.0, "GPU": 4.0}
BUSY = {"CPU": 40.0, "GPU": 5.0}


@pytest.mark.parametrize(
    ("count", "kind", "nodes", "free", "found"),
    [
        (None, "auto", [FOUR_GPUS] * 2, {"CPU": 64, "GPU": 8}, (8, "gpu", 8)),
        (3, "cuda", [FOUR_GPUS] * 2, {"CPU": 64, "GPU": 8}, (3, "cuda", 16)),
        (None, "auto", [FOUR_GPUS] * 2, BUSY, (5, "gpu", 8)),
        (None, "auto", [{"GPU": 8.0, "CPU": 4.0}], {"CPU": 4, "GPU": 8}, (8, "gpu", 0)),
        (None, "auto", [{}, {"TPU": 4.0, "CPU": 96.0}], {"CPU": 96, "TPU": 4}, (4, "tpu", 24)),
        (None, "cpu", [FOUR_GPUS] * 2, {"CPU": 64, "GPU": 8}, (2, "cpu", 32)),
        (None, "auto", [{}, {"CPU": 4.0}, {"CPU": 6.0}], {"CPU": 10}, (2, "cpu", 4)),
        (3, "auto", [{"CPU": 4.0}, {"CPU": 6.0}], {"CPU": 10}, (3, "cpu", 3)),
        (10, "auto", [{"CPU": 4.0}, {"CPU": 6.0}], {"CPU": 10}, (10, "cpu", 1)),
    ],
)
def test_a_worker_has_an_accelerator_and_its_share_of_the_cores(
    count: int | None,
    kind: str,
    nodes: list[dict[str, float]],
    free: dict[str, float],
    found: tuple[int, str, int],
) -> None:
    num, device_kind, cores = found
    wanted = Places(count=num, device_kind=device_kind, num_cores=cores)
    assert find_places(count, kind, nodes, free) == wanted


def test_workers_that_share_an_accelerator_each_ask_ray_for_a_part_of_it() -> None:
    nodes, free = [FOUR_GPUS] * 2, {"CPU": 64.0, "GPU": 8.0}
    quarter = find_places(None, "auto", nodes, free, per_device=4)
    assert (quarter.count, quarter.num_cores) == (32, 2)
    assert quarter.options["num_gpus"] == 0.25
    assert find_places(6, "gpu", nodes, BUSY, per_device=2).num_cores == 6  # 40 cores are free
    with pytest.raises(ClusterError, match="a worker needs 1/2 of one; ask for at most 10"):
        find_places(11, "gpu", nodes, BUSY, per_device=2)
    with pytest.raises(ClusterError, match="a TPU chip belongs to one process"):
        find_places(None, "tpu", [{"TPU": 4.0, "CPU": 96.0}], {"CPU": 96, "TPU": 4}, per_device=2)
    on_cores = find_places(None, "cpu", [{"CPU": 4.0}, {"CPU": 6.0}], {"CPU": 10}, per_device=2)
    assert (on_cores.count, on_cores.num_cores, on_cores.per_device) == (4, 2, 1)


@pytest.mark.parametrize(
    ("count", "kind", "free", "says"),
    [
        (None, "tpu", {"CPU": 64}, "needs a TPU, and the Ray cluster has none"),
        (None, "auto", {"CPU": 64}, "needs a GPU, and all 4 of the Ray cluster are taken"),
        (None, "cpu", {"GPU": 4}, "needs a CPU, and all 32"),
        (5, "auto", {"CPU": 32, "GPU": 3}, "3 of the 4 GPUs of the Ray cluster are free"),
    ],
)
def test_more_than_a_cluster_has_is_refused(
    count: int | None, kind: str, free: dict[str, float], says: str
) -> None:
    with pytest.raises(ClusterError, match=says):
        find_places(count, kind, [FOUR_GPUS], free)


def on(device_kind: str, jax_version: str = "0.10.2") -> Environment:
    return Environment(device_kind=device_kind, versions={"jax": jax_version}, git_revision="a")


def test_nodes_may_have_different_devices_but_not_different_libraries() -> None:
    h100 = agreed(None, on("NVIDIA H100"), "one")
    both = agreed(h100, on("NVIDIA A100"), "two")
    assert agreed(both, on("NVIDIA H100"), "three").device_kind == "NVIDIA A100, NVIDIA H100"
    with pytest.raises(ClusterError, match=r"node four has jax 0\.11, not 0\.10\.2; install"):
        agreed(both, on("NVIDIA H100", "0.11"), "four")


def test_who_coordinates_actors_never_loads_the_accelerator_stack() -> None:
    code = "import sys, search.workers.ray_pool; print({'jax', 'flax', 'ray'} & {*sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


@needs_ray
@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--engine", "ray", "--ray-address", "127.0.0.2:1"], "nobody answers there"),
        (["--engine", "ray", "--ray-address", "127.0.0.2"], "neither HOST:PORT nor auto"),
        (["--engine", "ray", "--ray-address", "ray://h:10001"], "run this command on one of its"),
        (
            ["--engine", "ray", "--storage", "postgresql://u:secret@127.0.0.1:1/d"],
            "--storage holds a password; name the storage in MIXER_STORAGE",
        ),
        (["--engine", "dask"], "--engine dask: there is local and ray"),
        (["--ray-address", "auto"], "add --engine ray"),
    ],
)
def test_a_cluster_that_is_not_there_is_a_sentence(
    capsys: pytest.CaptureFixture[str], argv: list[str], says: str
) -> None:
    assert run(["--study", "mixer_smoke", *argv]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_without_ray_it_is_said_how_to_install_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert run(["--study", "mixer_smoke", "--engine", "ray"]) == 2
    assert "pip install 'mixer-search[ray]'" in capsys.readouterr().err


def study(nodes: Nodes, folder: Path, name: str, *options: str) -> subprocess.Popen[str]:
    """A small study of digits on the cluster."""
    command = [sys.executable, "-m", "search.run", "--study", "mixer_digits", "--study-name", name]
    command += ["--set", 'families=["mixer"]']
    return subprocess.Popen(
        [*command, "--no-baselines", "--engine", "ray", "--ray-address", nodes.address, *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def is_whole(folder: Path, name: str, *, trials: int, epochs: int) -> None:
    """So many trials have ended, none twice, every epoch once."""
    with open_reader(f"sqlite:///{folder}/runs/mixer_search.db") as store:
        ended = [t for t in store.trials(name) if t.state is not State.REFUSED]
        found = [(e.trial, e.epoch) for e in store.epochs(name)]
    assert [t.state for t in ended] == [State.COMPLETE] * trials
    assert len({t.config for t in ended if t.origin is Origin.SEARCH}) == trials
    wanted = [(t.number, epoch) for t in ended for epoch in range(1, epochs + 1)]
    assert sorted(found) == sorted(wanted)


@needs_ray
def test_a_study_runs_on_a_cluster_and_goes_on_after_an_interruption(
    nodes: Nodes, here: Path
) -> None:
    wanted = ("--trials", "3", "--epochs", "40", "--max-flops", "200k", "--no-rungs")
    interrupted = study(nodes, here, "cluster", *wanted)
    wait_for_an_epoch(interrupted, here, "cluster")
    interrupted.send_signal(signal.SIGTERM)
    output, _ = interrupted.communicate(timeout=60)
    assert interrupted.returncode == 143, output
    assert "Go on with the same command" in output
    again = study(nodes, here, "cluster", *wanted)
    output, _ = again.communicate(timeout=120)
    assert again.returncode == 0, output
    assert "2 workers" in output
    assert "was interrupted and goes on after epoch" in output
    is_whole(here, "cluster", trials=3, epochs=40)


def wait_for_an_epoch(process: subprocess.Popen[str], folder: Path, name: str) -> None:
    while process.poll() is None:
        time.sleep(0.05)
        try:
            with open_reader(f"sqlite:///{folder}/runs/mixer_search.db") as store:
                if store.epochs(name):
                    return
        except StorageError:
            continue  # not there yet


@pytest.mark.slow
@needs_ray
def test_an_accelerator_that_only_ray_knows_of_is_refused(nodes: Nodes) -> None:
    node = nodes.add("--num-gpus=1")
    places = Places(count=1, device_kind="gpu", num_cores=1)
    with connected(nodes.address), pytest.raises(DeviceError, match=r"on .*: --device gpu: JAX"):
        ready(RayWorkers(places))
    nodes.stop(node)


@pytest.mark.slow
@needs_ray
def test_what_a_node_trained_that_is_gone_is_trained_by_another(nodes: Nodes) -> None:
    """With fewer places than workers: nobody waits for ever, and each is trained once."""
    third = nodes.add()
    with connected(nodes.address):
        three = ready(RayWorkers(replace(TWO, count=3)))
        for worker in range(3):
            three.start(worker, at_rung(worker))
        until_trained(three, 0, 1, 2)
        nodes.kill(third)
        loser, lost = three.next()
        assert isinstance(lost, WorkerDied)
        three.start(loser, request(loser))
        for worker in {0, 1, 2} - {loser}:
            three.decide(worker, goes_on=True)
        told = until_idle(three, 3)
        assert [type(e) for e in told[loser]] == [
            Started,
            EpochDone,
            EpochDone,
            Finished,
            RequestDone,
        ]
        for worker in {0, 1, 2} - {loser}:
            assert [type(e) for e in told[worker]] == [EpochDone, Finished, RequestDone]


@pytest.mark.slow
@needs_ray
def test_a_study_waits_for_a_node_where_none_is_left(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.workers.ray_pool._SECONDS_STRANDED", 2.0)
    only = nodes.add("--num-cpus=2")
    with connected(nodes.address):
        workers = ready(RayWorkers(Places(count=1, device_kind="cpu", num_cores=2)))
        workers.start(0, at_rung(0))
        until_trained(workers, 0)
        nodes.kill(only)
        assert isinstance(workers.next()[1], WorkerDied)
        workers.start(0, request(0))
        worker, event = workers.next()
        assert (worker, type(event)) == (0, Warned)
        again = nodes.add("--num-cpus=2")
        assert isinstance(until_idle(workers, 1)[0][-2], Finished)
    nodes.stop(again)


@pytest.mark.slow
@pytest.mark.fault("a node of a Ray cluster of three killed, 10 times")
@needs_ray
def test_a_node_killed_ten_times_loses_nothing(here: Path) -> None:
    chance, hits = random.Random(0), 0
    options = ("--trials", "6", "--epochs", "40", "--max-flops", "1M", "--no-rungs")
    with cluster(1) as nodes:
        others = [nodes.add(), nodes.add()]
        for number in range(10):
            name, seed = f"round {number}", ("--seed", str(number))
            process = study(nodes, here, name, *options, *seed, "--checkpoint-every", "1s")
            wait_for_an_epoch(process, here, name)
            time.sleep(chance.uniform(0, 5))
            nodes.kill(others.pop(0))
            output, _ = process.communicate(timeout=300)
            assert process.returncode == 0, output
            hits += "lost its worker" in output
            is_whole(here, name, trials=6, epochs=40)
            others.append(nodes.add())
    assert hits >= 5, "most nodes are to be killed while they train"
