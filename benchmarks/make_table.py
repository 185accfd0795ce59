"""Trains many architectures to the end and keeps their learning curves as a table to replay.

    python benchmarks/make_table.py                            # all of mixer_digits, two seeds
    python benchmarks/make_table.py --study mixer_cifar --configurations 300 --seeds 1 \\
        --data-dir ~/tensorflow_datasets

Each seed is a study of its own, run by the command a user types: random configurations under the
study's ceiling, in another order for every seed, no baselines, no early stopping. Repeating the
command goes on where it was stopped. The table and its card go to `benchmarks/tables/`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from learning_curves import PARAMETERS, TABLES, LearningCurves, rows_of, write_table

from runs.reader import open_reader
from runs.record import State
from search.data import find_task
from search.machine import num_cores
from search.studies import STUDIES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", default="mixer_digits", choices=sorted(STUDIES))
    parser.add_argument("--configurations", type=int, default=100_000, help="default: all")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--repeated", type=int, help="configurations of the seeds after the first")
    parser.add_argument("--workers", type=int, default=num_cores())
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--name", help="of the table; default: the data set's")
    args = parser.parse_args()
    spec = STUDIES[args.study]
    name = args.name or spec.dataset
    database = TABLES / f"{name}.db"
    storage = f"sqlite:///{database}"
    for seed in range(args.seeds):
        trials = args.configurations if seed == 0 else args.repeated or args.configurations
        options = {
            "--study": args.study,
            "--study-name": f"{args.study} {seed}",
            "--storage": storage,
            "--seed": seed,
            "--trials": trials,
            "--sampler": "random",
            "--workers": args.workers,
        }
        if args.data_dir:
            options["--data-dir"] = args.data_dir
        command = [sys.executable, "-m", "search.run", "--no-baselines", "--no-rungs"]
        command += [str(word) for option in options.items() for word in option]
        done = subprocess.run(command)
        if done.returncode:
            sys.exit(done.returncode)
    curves = collect(
        storage, args.study, " ".join(["python", "benchmarks/make_table.py", *sys.argv[1:]])
    )
    write_table(curves, TABLES / f"{name}.parquet")
    (TABLES / f"{name}.md").write_text(card(name, curves))
    print(f"written to {TABLES / name}.parquet and .md; {database} may go")


def collect(storage: str, study: str, command: str) -> LearningCurves:
    """What the studies of a database have trained."""
    with open_reader(storage) as store:
        studies = sorted(store.studies(), key=lambda record: record.name)
        trials = {record.name: store.trials(record.name) for record in studies}
        rows = [rows_of(trials[s.name], store.epochs(s.name)) for s in studies]
    spec = studies[0].spec
    task = find_task(spec["dataset"])
    last = [t for t in trials[studies[0].name] if t.state is State.COMPLETE][-1]
    assert last.surroundings, "a trial that trained has them"
    assert last.timing
    about = {
        "study": spec | {"name": study},
        "task": task.model_dump(mode="json"),
        "images_per_epoch": round(
            last.timing.images_per_second * last.timing.train_seconds / last.epochs
        ),
        "flops_ceiling": studies[0].flops_ceiling,
        "data_digest": studies[0].data_digest,
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "revision": last.surroundings.git_revision,
        "device": last.surroundings.device_kind,
        "workers": last.num_workers,
        "versions": last.surroundings.versions,
    }
    return LearningCurves(pd.concat(rows, ignore_index=True), about)


def card(name: str, curves: LearningCurves) -> str:
    """What there is to know about a table, as Markdown."""
    about, rows = curves.about, curves.rows
    last = rows[rows["epoch"] == curves.epochs]
    by_seed = last.pivot(index=list(PARAMETERS), columns="seed", values="validation_accuracy")
    counts = ", ".join(f"{int(by_seed[s].notna().sum())} with seed {s}" for s in by_seed.columns)
    best = last["validation_accuracy"]
    noise = ""
    if by_seed.shape[1] > 1:
        spread = by_seed.dropna().std(axis=1).pow(2).mean() ** 0.5
        noise = (
            f"\n- Noise of one training (standard deviation over seeds): {100 * spread:.1f} points."
        )
    versions = ", ".join(f"{k} {v}" for k, v in sorted(about["versions"].items()))
    return f"""# {name}: learning curves of {len(by_seed)} MLP-Mixers

`{name}.parquet`, a row an epoch ({len(rows):,}): the configuration ({", ".join(PARAMETERS)}),
`macs`, `params`, `seed`, `epoch`, losses and accuracies on training and validation images,
`seconds` of training up to there, `compile_seconds`. Read it with `learning_curves.read_table`, or
with anything that reads Parquet; what the rows have in common is in the file's metadata.

- Trainings: {counts}; {curves.epochs} epochs each, by the recipe of the study
  `{about["study"]["name"]}`.
- Configurations: drawn at random, without repeating, from all of at most
  {about["flops_ceiling"]:,} FLOPs; see the metadata for the ranges.
- Validation accuracy after the last epoch: {100 * best.min():.1f} to {100 * best.max():.1f} %, \
median {100 * best.median():.1f} %.{noise}
- Made by `{about["command"]}` on {about["date"]}, revision {about["revision"]}, on
  {about["device"]}, {about["workers"]} workers; {versions}.
- The seconds are of a shared machine: good for what is dear and what is cheap, not as a benchmark.
- Licence: that of this repository (Apache-2.0). The table holds no images.
"""


if __name__ == "__main__":
    main()
