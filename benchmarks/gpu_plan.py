"""The parts of `gpu_report.py`: their commands, their limits, and how to read what they left."""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from trials_per_hour import PLAIN_LOOP, write_study, write_task

from runs.accounting import account
from runs.reader import open_reader
from runs.record import State
from search.spec.rungs import NO_RUNGS
from search.spec.studies import STUDIES, StudySpec, with_changes
from space.errors import MixerSearchError

ROOT = Path(__file__).resolve().parents[1]
PARTS_SCRIPT = Path(__file__).with_name("gpu_parts.py").resolve()

Figures = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large a report is: the whole, or a rehearsal."""

    total_seconds: float
    limits: dict[str, float]
    """Seconds a part may take; in this order they run."""
    device: str
    batch_size: int
    train_limit: int | None
    networks: int
    ways: int
    """Ways to compile that are tried."""
    seconds_each: float
    """To train a network whose speed is measured."""
    steps: int
    """Training steps in one dispatch, where no roofline tells how many."""
    patch_sizes: tuple[int, ...]
    hidden_dim: int
    num_blocks: int
    listed_trials: int
    """Random configurations that the plain loop and this engine are given."""
    listed_epochs: int
    study_epochs: int
    max_flops: int


WHOLE = Size(
    total_seconds=480,
    limits={
        "ceilings": 30,
        "plain-loop": 100,
        "this-engine": 70,
        "study-k1": 70,
        "study-k2": 70,
        "accuracy": 110,
        "ladder": 60,
        "seeds": 90,
        "study-k4": 70,
        "variants": 100,
        "tokens": 100,
    },
    device="gpu",
    batch_size=512,
    train_limit=None,
    networks=99,
    ways=99,
    seconds_each=1.0,
    steps=50,
    patch_sizes=(8, 4, 2, 1),
    hidden_dim=128,
    num_blocks=8,
    listed_trials=40,
    listed_epochs=10,
    study_epochs=27,
    max_flops=400_000_000,
)


REHEARSAL = Size(
    total_seconds=200,
    limits={
        "ceilings": 15,
        "ladder": 25,
        "plain-loop": 25,
        "this-engine": 25,
        "study-k1": 20,
        "study-k2": 20,
        "accuracy": 30,
        "seeds": 25,
        "variants": 25,
        "tokens": 25,
    },
    device="cpu",
    batch_size=64,
    train_limit=600,
    networks=1,
    ways=2,
    seconds_each=0.05,
    steps=4,
    patch_sizes=(8,),
    hidden_dim=32,
    num_blocks=1,
    listed_trials=2,
    listed_epochs=1,
    study_epochs=3,
    max_flops=1_000_000,
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A command, and how to read what it left when it ended or was ended."""

    name: str
    seconds: float
    command: list[str]
    figures: Callable[[datetime], Any]
    """Given when the command was started; nothing where it measured nothing."""
    environment: dict[str, str]
    is_endless: bool = False
    """Whether it does as much as fits: its limit is how it is meant to end."""


def part_of(
    name: str,
    seconds: float,
    size: Size,
    report: dict[str, Any],
    here: Path,
    args: argparse.Namespace,
) -> Part:
    """The command of a part, and how to read its figures."""
    folder = here / name
    folder.mkdir()
    dataset = report["images"]["dataset"]
    data_dir = args.data_dir and args.data_dir.resolve()
    match name:
        case "plain-loop":
            return _plain_part(name, seconds, _listed(size, dataset), folder, data_dir)
        case "this-engine":
            spec = _listed(size, dataset)
            return _study_part(name, seconds, spec, folder, data_dir, size.device, 1)
        case "study-k1" | "study-k2" | "study-k4":
            spec = _searched(size, dataset)
            sharers = int(name[-1])
            return _study_part(name, seconds, spec, folder, data_dir, size.device, sharers)
    found = report["parts"].get("ceilings")
    recipe = _searched(size, dataset).recipe.model_dump(mode="json")
    task = {
        "device": size.device,
        "seconds": seconds - 10 if seconds > 20 else seconds / 2,  # the process has to begin too
        "file": str(folder / "lines.jsonl"),
        "ceilings": found,
        "batch_size": size.batch_size if name != "tokens" else min(128, size.batch_size),
        "seconds_each": size.seconds_each,
        "steps": size.steps,
        "networks": size.networks,
        "ways": size.ways,
        "patch_sizes": size.patch_sizes,
        "patch_size": 4,
        "hidden_dim": size.hidden_dim,
        "num_blocks": size.num_blocks,
        "dataset": dataset,
        "data_dir": data_dir and str(data_dir),
        "train_limit": size.train_limit,
        "recipe": recipe,
        "seeds": 3,
    }
    (folder / "task.json").write_text(json.dumps(task))

    def figures(_: datetime) -> Any:
        found = lines_of(folder / "lines.jsonl")
        return next(iter(found), None) if name == "ceilings" else found

    return Part(
        name=name,
        seconds=seconds,
        command=[sys.executable, str(PARTS_SCRIPT), name, str(folder / "task.json")],
        figures=figures,
        environment=_cold(folder),
    )


def _cold(folder: Path) -> dict[str, str]:
    """An empty cache of compiled programs, for ours and for the plain loop."""
    cache = folder / "compiled"
    cache.mkdir()
    return {
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


def _searched(size: Size, dataset: str) -> StudySpec:
    """A search with early stopping, as many trials as fit."""
    base = STUDIES["mixer_digits" if dataset == "digits" else "mixer_cifar"]
    spec = with_changes(
        base,
        name="searched",
        families=("mixer",),
        trials=10_000,
        epochs=size.study_epochs,
        max_flops=size.max_flops,
        train_limit=size.train_limit,
        baselines=0,
    )
    recipe = spec.recipe.model_copy(update={"batch_size": size.batch_size})
    return spec.model_copy(update={"recipe": recipe})


def _listed(size: Size, dataset: str) -> StudySpec:
    """A list of random configurations, trained to the end: what the plain loop can do too."""
    spec = with_changes(
        _searched(size, dataset),
        name="listed",
        trials=size.listed_trials,
        epochs=size.listed_epochs,
        sampler="random",
        rungs=NO_RUNGS,
    )
    return spec


def _plain_part(
    name: str, seconds: float, spec: StudySpec, folder: Path, data_dir: Path | None
) -> Part:
    task = json.loads(write_task(spec, folder, data_dir).read_text())
    database = folder / "optuna.db"
    (folder / "task.json").write_text(json.dumps(task | {"database": str(database)}))

    def figures(started: datetime) -> Figures | None:
        if not database.exists():
            return None
        here = started.astimezone().replace(tzinfo=None)  # as Optuna writes times
        with sqlite3.connect(database) as rows:
            ended = rows.execute(
                "SELECT datetime_complete, value FROM trials JOIN trial_values USING (trial_id) "
                "WHERE state = 'COMPLETE' AND objective = 0 ORDER BY datetime_complete"
            ).fetchall()
        if not ended:
            return None
        times = [(datetime.fromisoformat(at) - here).total_seconds() for at, _ in ended]
        return _rate(times) | {"mean_accuracy": statistics.fmean(value for _, value in ended)}

    return Part(
        name=name,
        seconds=seconds,
        command=[sys.executable, str(PLAIN_LOOP), str(folder / "task.json")],
        figures=figures,
        environment=_cold(folder),
        is_endless=True,
    )


def _study_part(
    name: str,
    seconds: float,
    spec: StudySpec,
    folder: Path,
    data_dir: Path | None,
    device: str,
    sharers: int,
) -> Part:
    storage = f"sqlite:///{folder}/ours.db"
    command = [sys.executable, "-m", "search.run", "--study", str(write_study(spec, folder))]
    command += ["--storage", storage, "--device", device]
    command += ["--workers-per-device", str(sharers)]
    if data_dir:
        command += ["--data-dir", str(data_dir)]

    def figures(started: datetime) -> Figures | None:
        try:
            with open_reader(storage) as reader:
                trials = reader.trials(spec.name)
        except MixerSearchError:  # it was ended before it began
            return None
        ended = [t for t in trials if t.finished_at and t.state is not State.REFUSED]
        if not ended:
            return None
        spent = account(trials)
        accuracies = [t.accuracy for t in ended if t.state is State.COMPLETE and t.accuracy]
        times = sorted((t.finished_at - started).total_seconds() for t in ended if t.finished_at)
        return _rate(times) | {
            "workers_per_device": sharers,
            "complete": sum(t.state is State.COMPLETE for t in ended),
            "stopped": sum(t.state is State.PRUNED for t in ended),
            "failed": sum(t.state is State.FAILED for t in ended),
            "busy_share": spent.busy_share,
            "train_seconds": spent.train_seconds + spent.eval_seconds,
            "median_compile_seconds": spent.median_compile_seconds,
            "mean_accuracy": statistics.fmean(accuracies) if accuracies else None,
            "epochs": spec.recipe.epochs,
        }

    return Part(
        name=name,
        seconds=seconds,
        command=command,
        figures=figures,
        environment=_cold(folder),
        is_endless=True,
    )


def _rate(times: list[float]) -> Figures:
    """Trials an hour, given when each ended, in seconds from the start of the process."""
    return {
        "trials": len(times),
        "seconds": times[-1],
        "trials_per_hour": 3600 * len(times) / times[-1],
        "ended_after_seconds": times,
    }


def lines_of(file: Path) -> list[Figures]:
    """What a part has written, without a last line that was cut when the part was ended."""
    said = file.read_text().splitlines(keepends=True) if file.exists() else []
    return [json.loads(line) for line in said if line.endswith("\n")]
