"""What the coordinator costs when trials are many and short: trials that only sleep.

    python benchmarks/stub_trials.py --trials 10000 --seconds 0.2 --workers 16
    python benchmarks/stub_trials.py --trials 2000 --seconds 0.005 --workers 1 --readers 8

The coordinator, its database with the lease, the random sampler and the pipes to the processes are
the real ones; a process sleeps where it would train, and has one epoch to tell. Readers are
processes that read all trials of the study every 200 ms, and as the dashboard does no more than a
tenth of the time. All processes are ready before the clock starts.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event as Flag
from pathlib import Path
from unittest import mock

from rich.console import Console

from runs.record import EpochRecord, State, StudyRecord, Surroundings, Timing
from runs.store import open_reader, open_writer
from search import data as images
from search.loop import Search
from search.messages import Alive, EpochDone, Finished, Idle, Ready, Setup, Started, TrialRequest
from search.open_study import plan
from search.progress import LiveReporter
from search.recipe import Recipe
from search.rungs import NO_RUNGS
from search.standing import Standing
from search.studies import StudySpec
from search.surroundings import git_revision
from search.workers import Processes, _Seat
from space.config import ImageTask

TASK = ImageTask(image_size=32, image_channels=3, num_classes=10)
STUDY = "stub"
SPAWN = get_context("spawn")


class Sleepers(Processes):
    """Workers as in a study; what they do is sleep."""

    seconds = 0.0

    def _spawn(self, worker: int) -> _Seat:
        ours, theirs = SPAWN.Pipe()
        process = SPAWN.Process(target=sleep, args=(theirs, self.seconds), daemon=True)
        process.start()
        theirs.close()
        return _Seat(process, ours)


def sleep(pipe: Connection, seconds: float) -> None:
    """A worker's process."""
    lock = threading.Lock()

    def tell(message: object) -> None:
        with lock:
            pipe.send(message)

    def beat() -> None:
        while True:
            time.sleep(2)
            tell(Alive())

    assert isinstance(pipe.recv(), Setup)
    tell(Ready(Surroundings(device_kind="stub", versions={}, git_revision=None), "cpu"))
    threading.Thread(target=beat, daemon=True).start()
    while True:
        request = pipe.recv()
        if not isinstance(request, TrialRequest):
            continue
        (number,) = request.numbers
        tell(Started())
        time.sleep(seconds)
        accuracy = 0.1 + number * 7919 % 8000 / 10_000
        tell(EpochDone((epoch(number, accuracy, seconds),)))
        timing = Timing(
            compile_seconds=0, train_seconds=seconds, eval_seconds=0, images_per_second=1
        )
        tell(Finished(trial=number, accuracy=accuracy, loss=1.0, timing=timing))
        tell(Idle())


def epoch(number: int, accuracy: float, seconds: float) -> EpochRecord:
    return EpochRecord(
        trial=number,
        epoch=1,
        train_loss=1.0,
        train_accuracy=accuracy,
        validation_loss=1.0,
        validation_accuracy=accuracy,
        learning_rate=1e-3,
        elapsed_seconds=seconds or 1e-9,
    )


def read(storage: str, is_over: Flag, pipe: Connection) -> None:
    """A reader's process: how often it has read, and the longest it took."""
    count, longest, seconds = 0, 0.0, 0.0
    with open_reader(storage) as store:
        pipe.send("ready")
        while not is_over.wait(max(0.2, 10 * seconds)):
            began = time.perf_counter()
            store.trials(STUDY)
            seconds = time.perf_counter() - began
            count, longest = count + 1, max(longest, seconds)
    pipe.send((count, longest))


def measure(trials: int, seconds: float, workers: int, num_readers: int) -> dict[str, float]:
    """One study from empty to complete."""
    spec = StudySpec(
        name=STUDY,
        dataset="cifar10",
        trials=trials,
        sampler="random",
        rungs=NO_RUNGS,
        recipe=Recipe(epochs=1),
        space={
            "hidden_dim": {"low": 16, "high": 512, "step": 16},  # 38,400 configurations
            "num_blocks": {"low": 1, "high": 12, "step": 1},
        },
    )
    planned = plan(spec, TASK)
    Sleepers.seconds = seconds
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch("search.workers.num_cores", return_value=workers),  # they need no core
        closing(Sleepers(count=workers, device_kind="cpu")) as sleepers,
        open_writer(storage := f"sqlite:///{folder}/s.db") as store,
        store.hold(STUDY),
    ):
        sleepers.give(images.load("digits", train_limit=64))
        study = store.add_study(
            StudyRecord(
                name=STUDY,
                spec=spec.fixed(),
                num_classes=10,
                data_digest="none",
                flops_ceiling=planned.flops_ceiling,
                created_at=datetime.now(UTC),
            )
        )
        is_over, pipes, readers = SPAWN.Event(), [], []
        for _ in range(num_readers):
            ours, theirs = SPAWN.Pipe()
            pipes.append(ours)
            readers.append(SPAWN.Process(target=read, args=(storage, is_over, theirs)))
            readers[-1].start()
        for pipe in pipes:
            pipe.recv()
        standing = Standing(
            study, [], goal=trials, baselines=0, images_per_epoch=1, min_accuracy=None
        )
        search = Search(
            study=study,
            spec=spec,
            space=planned.affordable,
            task=TASK,
            baselines=(),
            store=store,
            workers=sleepers,
            reporter=LiveReporter(Console(quiet=True), standing),
        )
        began, cpu = time.perf_counter(), time.process_time()
        search.go(num_trials=trials)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        is_over.set()
        told = [pipe.recv() for pipe in pipes]
        for reader in readers:
            reader.join()
        states = [trial.state for trial in store.trials(STUDY)]
        assert states.count(State.COMPLETE) == trials
        assert len(store.epochs(STUDY)) == trials
    floor = trials * seconds / workers
    return {
        "wall_seconds": wall,
        "floor_seconds": floor,
        "over_the_floor": wall / floor - 1,
        "coordinator_cpu_seconds": cpu,
        "cpu_milliseconds_a_trial": 1000 * cpu / trials,
        "trials_a_second": trials / wall,
        "reads": sum(count for count, _ in told),
        "longest_read_seconds": max((longest for _, longest in told), default=0.0),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=0.2)
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument(
        "--readers", default="0", help="how many; 0,8,0,8 measures one after another"
    )
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    rounds = []
    for readers in map(int, args.readers.split(",")):
        found = measure(args.trials, args.seconds, args.workers, readers)
        rounds.append({"readers": readers, **found})
        print(
            f"{args.trials:,} trials of {1000 * args.seconds:g} ms on {args.workers} workers, "
            f"{readers} readers: {found['wall_seconds']:.1f} s, "
            f"{100 * found['over_the_floor']:.1f} % over the floor of "
            f"{found['floor_seconds']:.1f} s; {found['trials_a_second']:.1f} trials a second; "
            f"coordinator {found['cpu_milliseconds_a_trial']:.1f} ms of processor a trial; "
            f"{found['reads']:.0f} reads, the longest {found['longest_read_seconds']:.2f} s",
            flush=True,
        )
    if args.json:
        figures = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "load": os.getloadavg(),
            "python": platform.python_version(),
            "revision": git_revision(),
            "trials": args.trials,
            "seconds_a_trial": args.seconds,
            "workers": args.workers,
            "rounds": rounds,
        }
        args.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
