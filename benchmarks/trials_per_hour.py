"""Finished trials an hour: this project's engine against a plain Optuna and Flax loop.

    python benchmarks/trials_per_hour.py                       # mixer_digits, 20 trials, 10 epochs
    python benchmarks/trials_per_hour.py --study mixer_cifar --data-dir ~/tensorflow_datasets

The same configurations, epochs, batch, images and device, each side in fresh processes that take
turns at going first. Cold: neither has compiled anything before. Warm: both have JAX's persistent
cache on and have run the same list once. Wall seconds are those of the whole process, imports and
reading the images included. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import runs
from search import data as images
from search.schedule.untried import Untried
from search.spec.rungs import NO_RUNGS
from search.spec.studies import STUDIES, StudySpec, with_changes
from search.study.plan import plan
from search.train.devices import choose
from search.train.environment import find_environment
from search.train.machine import num_cores

PLAIN_LOOP = Path(__file__).with_name("plain_loop.py")
PARAMETERS = ("patch_size", "hidden_dim", "tokens_mlp_dim", "channels_mlp_dim", "num_blocks")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", default="mixer_digits", choices=sorted(STUDIES))
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, help="default: the study's")
    parser.add_argument("--max-flops", type=int, help="default: the study's")
    parser.add_argument("--train-limit", type=int)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument(
        "--workers", type=int, help="of our side; default: one a core on a CPU, else one"
    )
    parser.add_argument("--rounds", type=int, default=1, help="repeats of each pair")
    parser.add_argument("--caches", default="cold,warm", help="cold, warm, or both")
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    args = parser.parse_args()

    changes = {"trials": args.trials, "epochs": args.epochs, "train_limit": args.train_limit}
    spec = with_changes(
        STUDIES[args.study],
        families=("mixer",),
        sampler="random",
        max_flops=args.max_flops,
        baselines=0,
        rungs=NO_RUNGS,  # both sides train every trial to the end
        **changes,
    )
    if args.batch_size:
        recipe = spec.recipe.model_copy(update={"batch_size": args.batch_size})
        spec = spec.model_copy(update={"recipe": recipe})
    with tempfile.TemporaryDirectory() as folder:
        figures = compare(spec, Path(folder), args)
    print(table(figures))
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n")
        print(f"written to {args.json}")


def compare(spec: StudySpec, folder: Path, args: argparse.Namespace) -> dict:
    """Runs both sides and returns every measurement."""
    task_file = write_task(spec, folder, args.data_dir)
    study_file = write_study(spec, folder)
    device = choose()
    facts, cores = find_environment(device), num_cores()
    workers = args.workers or (cores if device.platform == "cpu" else 1)
    figures = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": "python benchmarks/trials_per_hour.py " + " ".join(sys.argv[1:]),
        "device": facts.device_kind,
        "cpu_cores": cores,
        "workers": workers,
        "versions": facts.versions,
        "revision": facts.git_revision,
        "study": spec.model_dump(mode="json"),
        "runs": [],
    }
    sides = {
        "plain loop": lambda at: run_plain(task_file, at),
        "this engine": lambda at: run_ours(study_file, spec, at, args.data_dir, workers),
    }
    for cache in args.caches.split(","):
        kept = {side: folder / f"cache {side}" for side in sides}
        if cache == "warm" and "cold" not in args.caches:
            for side, run in sides.items():
                print(f"{side}: filling its cache", flush=True)
                measure(run, folder, kept[side])
        for repeat in range(args.rounds):
            order = list(sides) if repeat % 2 == 0 else list(reversed(sides))
            for side in order:
                at = kept[side] if cache == "warm" or repeat == 0 else folder / f"{side} {repeat}"
                measured = measure(sides[side], folder, at)
                figures["runs"].append({"side": side, "cache": cache, "round": repeat} | measured)
                print(
                    f"{cache} {side}: {measured['seconds']:.1f} s, "
                    f"mean accuracy {statistics.fmean(measured['accuracies']):.4f}",
                    flush=True,
                )
    return figures


def measure(run, folder: Path, cache: Path) -> dict:
    """Seconds and accuracies of one side in a fresh process and an empty folder."""
    cache.mkdir(exist_ok=True)
    env = os.environ | {
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    with tempfile.TemporaryDirectory(dir=folder) as work:
        command, accuracies = run(Path(work))
        began = time.perf_counter()
        done = subprocess.run(command, cwd=work, env=env, capture_output=True, text=True)
        seconds = time.perf_counter() - began
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")
        return {"seconds": seconds, "accuracies": accuracies()}


def run_plain(task_file: Path, at: Path):
    """The command of the plain loop, and how to read its accuracies from Optuna's tables."""
    task = json.loads(task_file.read_text()) | {"database": str(at / "optuna.db")}
    (at / "task.json").write_text(json.dumps(task))

    def accuracies() -> list[float]:
        with sqlite3.connect(at / "optuna.db") as database:
            rows = database.execute(
                "SELECT value FROM trial_values WHERE objective = 0 ORDER BY trial_id"
            )
            return [value for (value,) in rows]

    return [sys.executable, str(PLAIN_LOOP), str(at / "task.json")], accuracies


def run_ours(study_file: Path, spec: StudySpec, at: Path, data_dir: Path | None, workers: int = 1):
    """The command a user types, and how to read the accuracies."""
    storage = f"sqlite:///{at}/ours.db"
    command = [sys.executable, "-m", "search.run", "--study", str(study_file)]
    command += ["--storage", storage, "--workers", str(workers)]
    if data_dir:
        command += ["--data-dir", str(data_dir.resolve())]

    def accuracies() -> list[float]:
        return runs.frame(spec.name, storage)["accuracy"].to_list()

    return command, accuracies


def write_task(spec: StudySpec, folder: Path, data_dir: Path | None) -> Path:
    """Images, recipe and configurations for the plain loop: those the random sampler will draw."""
    data = images.load(
        spec.dataset,
        data_dir=data_dir,
        validation_fraction=spec.validation_fraction,
        split=spec.split or "stratified",
        train_limit=spec.train_limit,
        options=spec.data,
    )
    names = ("train_images", "train_labels", "validation_images", "validation_labels")
    np.savez(folder / "data.npz", **{name: getattr(data, name) for name in names})
    planned = plan(spec, data.task)
    (space,) = planned.affordable.values()
    untried = Untried(space, data.task, max_flops=planned.flops_ceiling, seed=spec.seed)
    tried: dict = {}
    while len(tried) < spec.trials:
        config = untried.draw()
        if config is None:
            raise SystemExit(f"the space has only {len(tried)} configurations")
        untried.remove(config)
        tried[config] = {name: getattr(config, name) for name in PARAMETERS}
    task = data.task.model_dump() | {
        "data": str(folder / "data.npz"),
        "recipe": spec.recipe.model_dump(mode="json"),
        "seed": spec.seed,
        "configurations": list(tried.values()),
    }
    path = folder / "task.json"
    path.write_text(json.dumps(task))
    return path


def write_study(spec: StudySpec, folder: Path) -> Path:
    """The study as a file, for `search.run`."""
    path = folder / "study.toml"
    path.write_text("\n".join(_toml(spec.model_dump(mode="json", exclude_none=True))) + "\n")
    return path


def _toml(table: dict, header: tuple[str, ...] = ()) -> list[str]:
    """A table, then those inside it; JSON's numbers, strings and lists are TOML's."""
    inner = {name: value for name, value in table.items() if isinstance(value, dict)}
    lines = [f"[{'.'.join(header)}]"] if header else []
    lines += [f"{name} = {json.dumps(v)}" for name, v in table.items() if name not in inner]
    return lines + [line for name, v in inner.items() for line in _toml(v, (*header, name))]


def table(figures: dict) -> str:
    """The figures as Markdown."""
    trials = figures["study"]["trials"]
    lines = [
        f"{figures['study']['name']}, {trials} trials of {figures['study']['recipe']['epochs']} "
        f"epochs, {figures['device']}, {figures['cpu_cores']} CPU cores, {figures['workers']} "
        f"workers of ours, {figures['date']}, revision {figures['revision']}",
        "",
        "| caches | plain loop | this engine | trials per hour | ratio (spread) | mean accuracy |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for cache in dict.fromkeys(run["cache"] for run in figures["runs"]):
        mine, theirs = (
            [r for r in figures["runs"] if (r["cache"], r["side"]) == (cache, side)]
            for side in ("this engine", "plain loop")
        )
        ratios = [p["seconds"] / o["seconds"] for p, o in zip(theirs, mine, strict=True)]
        ours, plain = (statistics.median(r["seconds"] for r in side) for side in (mine, theirs))
        ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        accuracy = [statistics.fmean(side[0]["accuracies"]) for side in (theirs, mine)]
        lines.append(
            f"| {cache} | {plain:.1f} s | {ours:.1f} s | "
            f"{3600 * trials / plain:,.0f} and {3600 * trials / ours:,.0f} | {ratio} | "
            f"{accuracy[0]:.4f} and {accuracy[1]:.4f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
