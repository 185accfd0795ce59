"""What a study costs beside training: milliseconds a trial to ask, to write and to show.

    python benchmarks/study_overhead.py --finished 1000

A study with that many finished trials is taken up again and goes on with a trainer that takes no
time, on a real SQLite file. What the next trial waits for while nothing trains is told apart from
what happens while it would train (the proposal of the trial after it).
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from runs.record import EpochRecord, StudyRecord, Timing
from runs.writer import open_writer
from search.protocol import (
    EpochDone,
    Event,
    Finished,
    RequestDone,
    Started,
    TrialRequest,
    WorkerDied,
)
from search.report.progress import LiveReporter
from search.report.status import StudyStatus
from search.schedule.scheduler import Scheduler
from search.spec.recipe import Recipe
from search.spec.rungs import NO_RUNGS
from search.spec.studies import STUDIES, with_changes
from search.study.loop import Coordinator, Search
from search.study.plan import plan
from search.study.state import StudyState
from search.train.devices import choose
from search.train.environment import find_environment
from space.config import Config, ImageTask
from space.cost import cost

TASK = ImageTask(image_size=32, image_channels=3, num_classes=10)


class NoTraining:
    """A worker whose accuracy follows from the FLOPs at once."""

    count = 1

    def __init__(self) -> None:
        self.environment = find_environment(choose())
        self._events: Iterator[Event] = iter(())

    def compile_ahead(self, worker: int, config: Config, recipe: Recipe, num_seeds: int) -> None:
        """Nothing to compile."""

    def start(self, worker: int, request: TrialRequest) -> None:
        self._events = self._train(request)

    def decide(self, worker: int, goes_on: bool) -> None:
        """It always goes on."""

    def next(self) -> tuple[int, Event | RequestDone | WorkerDied]:
        return 0, next(self._events, RequestDone())

    def _train(self, request: TrialRequest) -> Iterator[Event]:
        yield Started()
        accuracy = 0.9 - 1e5 / cost(request.config).flops + cost(request.config).macs % 100 / 2000
        (number,) = request.numbers
        for epoch in range(1, request.recipe.epochs + 1):
            yield EpochDone(
                (
                    EpochRecord(
                        trial=number,
                        epoch=epoch,
                        train_loss=1.0,
                        train_accuracy=accuracy,
                        validation_loss=1.0,
                        validation_accuracy=accuracy,
                        learning_rate=1e-3,
                        elapsed_seconds=epoch,
                    ),
                )
            )
        timing = Timing(compile_seconds=1, train_seconds=1, eval_seconds=1, images_per_second=1)
        yield Finished(trial=number, accuracy=accuracy, loss=1.0, timing=timing)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--finished", type=int, default=1000, help="trials before the measured")
    parser.add_argument("--measured", type=int, default=50)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--samplers", default="cost_aware,tpe,nsga2,random")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    facts = find_environment(choose())
    figures = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": facts.device_kind,
        "versions": facts.versions,
        "revision": facts.git_revision,
        "finished": args.finished,
        "epochs": args.epochs,
        "milliseconds": {s: measure(s, args) for s in args.samplers.split(",")},
    }
    print(f"{args.finished} finished trials, {args.epochs} epochs; milliseconds a trial, median")
    for sampler, parts in figures["milliseconds"].items():
        shown = ", ".join(f"{part} {value:.1f}" for part, value in parts.items())
        print(f"  {sampler}: {shown}")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n")


def measure(sampler: str, args: argparse.Namespace) -> dict[str, float]:
    """Median milliseconds of the parts of a trial."""
    spent: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, open_writer(f"sqlite:///{folder}/s.db") as store:
        for trials, first in ((args.finished, "random"), (args.finished + args.measured, sampler)):
            spec = with_changes(
                STUDIES["mixer_cifar"],
                families=("mixer",),
                sampler=first,
                trials=trials,
                epochs=args.epochs,
                rungs=NO_RUNGS,
            )
            planned = plan(spec, TASK)
            study = store.add_study(
                StudyRecord(
                    name="overhead",
                    spec=spec.fixed(),
                    num_classes=10,
                    data_digest="none",
                    flops_ceiling=planned.flops_ceiling,
                    created_at=datetime.now(UTC),
                )
            )
            state = StudyState.read(store, study.name)
            status = StudyStatus(
                study,
                state,
                goal=trials,
                baselines=0,
                images_per_epoch=1,
            )
            reporter = LiveReporter(Console(quiet=True), status)
            spent.clear()
            with (
                timed(Scheduler, "suggest", spent["propose"]),
                timed(Coordinator, "_start", spent["begin (SQL)"]),
                timed(Coordinator, "_hear", spent["epochs (SQL)"]),
                timed(Coordinator, "_finish", spent["end (SQL, display, tell)"]),
            ):
                began = time.perf_counter()
                Search(
                    study=study,
                    spec=spec,
                    spaces=planned.affordable,
                    task=TASK,
                    baselines=(),
                    store=store,
                    workers=NoTraining(),
                    reporter=reporter,
                    state=state,
                ).go(num_trials=trials)
                seconds = time.perf_counter() - began
    parts = {
        part: 1000
        * (sum(values) / args.measured if "epochs" in part else statistics.median(values))
        for part, values in spent.items()
    }
    start = seconds - sum(sum(values) for values in spent.values())
    waiting = sum(value for part, value in parts.items() if part != "propose")
    return {"the device waits": waiting, **parts, "once at the start": 1000 * start}


@contextmanager
def timed(owner: type, name: str, into: list[float]) -> Iterator[None]:
    """Adds the seconds of every call of a method to a list."""
    method: Callable[..., object] = getattr(owner, name)

    def measured(*args: object, **kwargs: object) -> object:
        began = time.perf_counter()
        try:
            return method(*args, **kwargs)
        finally:
            into.append(time.perf_counter() - began)

    setattr(owner, name, measured)
    try:
        yield
    finally:
        setattr(owner, name, method)


if __name__ == "__main__":
    main()
