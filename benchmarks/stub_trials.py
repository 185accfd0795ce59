"""How many trials one coordinator can look after: workers that sleep, and readers that look on.

    python benchmarks/stub_trials.py                        # 10,000 trials of 200 ms, 16 workers
    python benchmarks/stub_trials.py --trials 2000 --workers 1 --trial-seconds 0.005 --readers 8

All is real but the training: the study is run by `search.study.run_study` with its display, its
SQLite database and its lease, workers are processes, and readers are processes that look for news
of the study as a page of the dashboard does. Timed from when the workers are ready, so their start
is not in it, to when the study has ended and its summary is printed. With readers the study is run
without them too, and both take turns at going first.

Judge by the CPU time too on a machine that does other things at the same time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from itertools import pairwise
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stub_worker import work

if TYPE_CHECKING:  # workers and readers are spawned: they import this file, and little else
    from runs.reader import Reading
    from search.data import ImageData
    from search.spec.studies import StudySpec
    from search.workers.processes import Processes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--trial-seconds", type=float, default=0.2)
    parser.add_argument("--epochs", type=int, default=1, help="of a trial, which share its time")
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--sampler", default="random")
    parser.add_argument("--readers", type=int, default=0)
    parser.add_argument("--poll-seconds", type=float, default=0.2)
    parser.add_argument("--rounds", type=int, default=1, help="of every kind")
    parser.add_argument("--log", action="store_true", help="the display of a log, not a terminal's")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    results = [
        measure(args, readers)
        for turn in range(args.rounds)
        for readers in sorted({0, args.readers}, reverse=bool(turn % 2))
    ]
    if args.readers:
        alone, watched = (
            min(r["wall_seconds"] for r in results if len(r["readers"]) == readers)
            for readers in (0, args.readers)
        )
        print(
            f"trials a second with {args.readers} readers: {alone / watched:.3f} of those without"
        )
    if args.json:
        figures = {"date": datetime.now(UTC).isoformat(timespec="seconds")}
        figures |= {"command": f"python benchmarks/stub_trials.py {' '.join(sys.argv[1:])}"}
        args.json.write_text(json.dumps(figures | facts() | {"rounds": results}, indent=1) + "\n")


def measure(args: argparse.Namespace, readers: int) -> dict[str, Any]:
    """One study, printed too."""
    with tempfile.TemporaryDirectory() as folder:
        storage = f"sqlite:///{folder}/stubs.db"
        result = run(
            storage,
            study_of(args.trials, args.epochs, args.sampler),
            workers=args.workers,
            trial_seconds=args.trial_seconds,
            readers=readers,
            poll_seconds=args.poll_seconds,
            is_terminal=not args.log,
        )
    floor = args.trials * args.trial_seconds / args.workers
    result |= {
        "floor_seconds": floor,
        "over_floor": result["wall_seconds"] / floor - 1,
        "load_average": os.getloadavg()[0],
    }
    by_tenth = " ".join(f"{ms:.1f}" for ms in result["cpu_ms_per_trial_by_tenth"])
    print(
        f"{args.trials:,} trials of {1000 * args.trial_seconds:g} ms, {args.workers} workers, "
        f"{readers} readers: {result['wall_seconds']:.1f} s, {100 * result['over_floor']:.1f} % "
        f"over the floor of {floor:.1f} s; CPU of the coordinator "
        f"{1000 * result['cpu_seconds'] / args.trials:.2f} ms a trial, by tenths {by_tenth}",
        flush=True,
    )
    if readers:
        met = result["readers"]
        print(
            f"  {sum(m['polls'] for m in met)} polls, {sum(len(m['errors']) for m in met)} errors, "
            f"CPU {sum(m['cpu_seconds'] for m in met):.1f} s, "
            f"slowest {max(m['slowest_seconds'] for m in met):.2f} s"
        )
    return result


def run(
    storage: str,
    spec: StudySpec,
    *,
    workers: int,
    trial_seconds: float,
    readers: int = 0,
    poll_seconds: float = 0.2,
    is_terminal: bool = True,
) -> dict[str, Any]:
    """Runs a study while readers look on: what the coordinator took, and what readers met."""
    from rich.console import Console

    from search.study.run_study import run_study
    from search.workers.processes import Processes

    watch = Watch(spec.trials, events_per_trial=spec.recipe.epochs + 3)  # start, finish, idle
    pipes: list[Connection] = []
    stub = partial(work, seconds=trial_seconds)
    with (
        closing(Processes(count=workers, device_kind="cpu", work=stub)) as processes,
        Path(os.devnull).open("w") as nowhere,
    ):

        def start_workers(images: ImageData) -> Processes:
            processes.start_workers(images)
            pipes.extend(start_reader(storage, spec.name, poll_seconds) for _ in range(readers))
            for pipe in pipes:
                pipe.recv()
            watch.begin()
            return processes

        run_study(
            spec,
            Console(file=nowhere, force_terminal=is_terminal, width=120),
            start_workers=start_workers,
            storage=storage,
            with_baselines=False,
            check_stop=watch.look,
        )
        taken = watch.end()
        for pipe in pipes:
            pipe.send("end")
        return taken | {"readers": [pipe.recv() for pipe in pipes]}


class Watch:
    """The clocks of a study, from when its workers are ready."""

    def __init__(self, trials: int, events_per_trial: int) -> None:
        self._every = max(1, trials // 10) * events_per_trial
        self._events_per_trial = events_per_trial
        self._events = 0
        self._cpu: list[float] = []

    def begin(self) -> None:
        self._wall = time.perf_counter()
        self._cpu = [time.process_time()]

    def look(self) -> None:
        """Called at every event."""
        self._events += 1
        if self._events % self._every == 0:
            self._cpu.append(time.process_time())

    def end(self) -> dict[str, Any]:
        trials = self._every / self._events_per_trial
        return {
            "wall_seconds": time.perf_counter() - self._wall,
            "cpu_seconds": time.process_time() - self._cpu[0],
            "cpu_ms_per_trial_by_tenth": [1000 * (b - a) / trials for a, b in pairwise(self._cpu)],
        }


def study_of(trials: int, epochs: int, sampler: str = "random") -> StudySpec:
    """A study of digits whose space has 28,800 configurations."""
    from search.spec.recipe import Recipe
    from search.spec.rungs import NO_RUNGS
    from search.spec.studies import StudySpec
    from space.mixer_family import MixerRanges

    return StudySpec(
        name="stubs",
        dataset="digits",
        trials=trials,
        sampler=sampler,
        recipe=Recipe(epochs=epochs, batch_size=64),
        rungs=NO_RUNGS,
        space=MixerRanges(
            patch_size=(1, 2, 4),
            hidden_dim=tuple(range(8, 321, 8)),
            tokens_mlp_dim=(8, 16, 32, 64),
            channels_mlp_dim=(16, 32, 64, 128, 256),
            num_blocks=tuple(range(1, 13)),
        ),
    )


def start_reader(storage: str, study: str, seconds: float) -> Connection:
    """A process that looks for news; tells that it does, and at the end what it met."""
    spawn = get_context("spawn")
    ours, theirs = spawn.Pipe()
    spawn.Process(target=look_on, args=(theirs, storage, study, seconds), daemon=True).start()
    theirs.close()
    return ours


def look_on(pipe: Connection, storage: str, study: str, seconds: float) -> None:
    """Opens the database, reads what is new and closes it, as the dashboard does, until told."""
    from runs.reader import UnknownStudyError, open_reader
    from runs.storage import StorageError

    reading: Reading | None = None
    polls, slowest, errors = 0, 0.0, []
    pipe.send("ready")
    cpu = time.process_time()
    while not pipe.poll(seconds):
        began = time.perf_counter()
        try:
            with open_reader(storage) as store:
                reading = store.read(study, reading)
        except UnknownStudyError:
            continue  # not yet
        except StorageError as error:
            errors.append(str(error))
        polls += 1
        slowest = max(slowest, time.perf_counter() - began)
    pipe.send(
        {
            "polls": polls,
            "trials": len(reading.trials) if reading else 0,
            "errors": errors,
            "slowest_seconds": slowest,
            "cpu_seconds": time.process_time() - cpu,
        }
    )


def facts() -> dict[str, Any]:
    """What it was measured on."""
    from search.train.environment import git_revision

    libraries = ("sqlalchemy", "optuna", "pydantic", "rich")
    versions = {library: version(library) for library in libraries}
    return {
        "cpu_cores": os.cpu_count(),
        "versions": {"python": platform.python_version(), **versions},
        "revision": git_revision(),
    }


if __name__ == "__main__":
    main()
