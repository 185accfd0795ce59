"""Trains many architectures to the end and keeps their learning curves as a table to replay.

    python benchmarks/make_table.py                            # all of mixer_digits, two seeds
    python benchmarks/make_table.py --study benchmarks/tables/cifar10.toml \\
        --data-dir ~/tensorflow_datasets

Each seed is a study of its own, run by the command a user types: everything the study's space has
under its ceiling, in a random order, another one for every seed, no baselines, no early stopping.
A table is of a whole space, as only such a one can be replayed: of a space that is too large for
that, write a study file with fewer values. Repeating the command goes on where it was stopped. The
table and its card go to `benchmarks/tables/`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from learning_curves import PARAMETERS, TABLES, LearningCurves, rows_of, write_table

from runs.reader import open_reader
from runs.record import State
from search.data import find_task
from search.spec.data_spec import DataSpec
from search.spec.studies import StudySpec
from search.spec.study_file import find_study
from search.train.machine import num_cores
from space.errors import MixerSearchError

ALL = 1_000_000
"""Trials to ask for: more than any space has that can be trained whole."""


def main(argv: Sequence[str] | None = None) -> int:
    """Trains, collects, writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", default="mixer_digits", help="a built-in one, or a .toml file")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument(
        "--repeated",
        type=int,
        default=ALL,
        help="so many configurations are trained with the seeds after the first; default: all",
    )
    parser.add_argument("--workers", type=int, default=num_cores())
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--name", help="of the table; default: the data set's")
    words = list(sys.argv[1:] if argv is None else argv)
    args = parser.parse_args(words)
    try:
        spec = find_study(args.study)
    except MixerSearchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    name = args.name or spec.dataset
    database = TABLES / f"{name}.db"
    storage = f"sqlite:///{database}"
    for seed in range(args.seeds):
        options = {
            "--study": args.study,
            "--study-name": f"{spec.name} {seed}",
            "--storage": storage,
            "--seed": seed,
            "--trials": ALL if seed == 0 else args.repeated,
            "--sampler": "random",
            "--workers": args.workers,
        }
        if args.data_dir:
            options["--data-dir"] = args.data_dir
        command = [sys.executable, "-m", "search.run", "--no-baselines", "--no-rungs"]
        command += ["--set", 'families=["mixer"]']
        command += [str(word) for option in options.items() for word in option]
        done = subprocess.run(command)
        if done.returncode:
            return done.returncode
    command_line = " ".join(["python", "benchmarks/make_table.py", *words])
    curves = collect(storage, spec.name, command_line, args.data_dir)
    write_table(curves, TABLES / f"{name}.parquet")
    (TABLES / f"{name}.md").write_text(card(name, curves))
    print(f"written to {TABLES / name}.parquet and .md; {database} may go")
    return 0


def collect(storage: str, study: str, command: str, data_dir: Path | None) -> LearningCurves:
    """What a study has trained, seed by seed."""
    with open_reader(storage) as store:
        mine = [s for s in store.studies() if s.name.rpartition(" ")[0] == study]
        studies = sorted(mine, key=lambda record: record.name)
        trials = {record.name: store.trials(record.name) for record in studies}
        rows = [rows_of(trials[s.name], store.epochs(s.name)) for s in studies]
    spec = studies[0].spec
    options = DataSpec.model_validate(spec.get("data", {}))
    task = find_task(spec["dataset"], data_dir=data_dir, options=options)
    ended = [trial for s in studies for trial in trials[s.name]]
    trained = {trial.config for trial in ended if trial.state is State.COMPLETE}
    failed = {t.config for t in ended if t.state is State.FAILED and t.config not in trained}
    parameters = sorted(tuple(getattr(config, name) for name in PARAMETERS) for config in failed)
    last = [t for t in trials[studies[0].name] if t.state is State.COMPLETE][-1]
    assert last.environment, "a trial that trained has them"
    assert last.timing
    about = {
        "study": {k: v for k, v in spec.items() if k in StudySpec.model_fields} | {"name": study},
        "task": task.model_dump(mode="json"),
        "images_per_epoch": round(
            last.timing.images_per_second * last.timing.train_seconds / last.epochs
        ),
        "flops_ceiling": studies[0].flops_ceiling,
        "failed": [dict(zip(PARAMETERS, values, strict=True)) for values in parameters],
        "data_digest": studies[0].data_digest,
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "revision": last.environment.git_revision,
        "device": last.environment.device_kind,
        "workers": last.num_workers,
        "versions": last.environment.versions,
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
        repeated = by_seed.dropna()
        spread = repeated.std(axis=1).pow(2).mean() ** 0.5
        noise = (
            f"\n- Noise of one training (standard deviation over the seeds of {len(repeated)} "
            f"configurations): {100 * spread:.1f} points."
        )
    versions = ", ".join(f"{k} {v}" for k, v in sorted(about["versions"].items()))
    return f"""# {name}: learning curves of {len(by_seed)} MLP-Mixers

`{name}.parquet`, a row an epoch ({len(rows):,}): the configuration ({", ".join(PARAMETERS)}),
`macs`, `params`, `seed`, `epoch`, losses and accuracies on training and validation images,
`seconds` of training up to there, `compile_seconds`. Read it with `learning_curves.read_table`, or
with anything that reads Parquet; what the rows have in common is in the file's metadata.

- Trainings: {counts}; {curves.epochs} epochs each, by the recipe of the study
  `{about["study"]["name"]}`.
- Configurations: all the study has of at most {about["flops_ceiling"]:,} FLOPs; see the metadata
  for the ranges. Never trained to the end: {len(about.get("failed", []))}.
- Validation accuracy after the last epoch: {100 * best.min():.1f} to {100 * best.max():.1f} %, \
median {100 * best.median():.1f} %.{noise}
- Made by `{about["command"]}` on {about["date"]}, revision {about["revision"]}, on
  {about["device"]}, {about["workers"]} workers; {versions}.
- The seconds are of a shared machine: good for what is dear and what is cheap, not as a benchmark.
- Licence: that of this repository (Apache-2.0). The table holds no images.
"""


if __name__ == "__main__":
    sys.exit(main())
