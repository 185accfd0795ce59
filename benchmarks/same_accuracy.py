"""Do both sides of `trials_per_hour.py` reach the same validation accuracy?

    python benchmarks/same_accuracy.py                         # 4 configurations, 12 seeds a side

The first configurations of its list, trained with the same number of seeds by either side: ours
with `python -m search.run --seeds N`, the plain loop in one process a seed. The sides draw weights
and batches from different generators, so their seeds are no pairs. Standard errors are over seeds;
for all configurations together, over the means of each seed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from trials_per_hour import measure, run_ours, run_plain, write_study, write_task

from search.spec.studies import STUDIES, StudySpec, with_changes
from search.train.devices import choose
from search.train.environment import find_environment


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", default="mixer_digits", choices=sorted(STUDIES))
    parser.add_argument("--configurations", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=12, help="at least 2")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    args = parser.parse_args()

    changes = {"trials": args.configurations, "epochs": args.epochs, "seeds": args.seeds}
    spec = with_changes(
        STUDIES[args.study], families=("mixer",), sampler="random", baselines=0, **changes
    )
    facts = find_environment(choose())
    figures = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": "python benchmarks/same_accuracy.py " + " ".join(sys.argv[1:]),
        "device": facts.device_kind,
        "cpu_cores": len(os.sched_getaffinity(0)),
        "versions": facts.versions,
        "revision": facts.git_revision,
        "study": spec.model_dump(mode="json"),
    }
    with tempfile.TemporaryDirectory() as folder:
        figures |= train_both(spec, Path(folder), args.data_dir)
    print(table(figures))
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n")


def train_both(spec: StudySpec, folder: Path, data_dir: Path | None) -> dict:
    """The configurations, and the accuracies of both sides: a row a configuration, by seed."""
    task_file, study_file = write_task(spec, folder, data_dir), write_study(spec, folder)
    task = json.loads(task_file.read_text())

    def ours(at: Path):
        command, accuracies = run_ours(study_file, spec, at, data_dir)
        return [*command, "--seeds", str(spec.seeds)], accuracies

    together = measure(ours, folder, folder / "our cache")["accuracies"]
    plain = []
    for seed in range(spec.seed, spec.seed + spec.seeds):
        task_file.write_text(json.dumps(task | {"seed": seed}))
        measured = measure(lambda at: run_plain(task_file, at), folder, folder / "plain cache")
        plain.append(measured["accuracies"])
    together = np.reshape(together, (spec.trials, spec.seeds))
    accuracies = {"plain loop": np.transpose(plain).tolist(), "this engine": together.tolist()}
    return {"configurations": task["configurations"], "accuracies": accuracies}


def table(figures: dict) -> str:
    """The figures as Markdown."""
    study, shapes = figures["study"], figures["configurations"]
    plain, ours = (np.array(figures["accuracies"][s]) for s in ("plain loop", "this engine"))
    lines = [
        f"{study['name']}, {study['seeds']} seeds, {study['recipe']['epochs']} epochs, "
        f"{figures['device']}, {figures['date']}, revision {figures['revision']}",
        "",
        f"| {', '.join(shapes[0])} | plain loop | this engine | difference | standard errors |",
        "|---|---:|---:|---:|---:|",
    ]
    names = [", ".join(map(str, shape.values())) for shape in shapes]
    rows = [*zip(names, plain, ours, strict=True), ("all", plain.mean(0), ours.mean(0))]
    for name, *sides in rows:
        a, b = (side.mean() for side in sides)
        c, d = (side.std(ddof=1) / math.sqrt(side.size) for side in sides)
        error = math.hypot(c, d)
        lines.append(
            f"| {name} | {a:.4f} ± {c:.4f} | {b:.4f} ± {d:.4f} | "
            f"{b - a:+.4f} ± {error:.4f} | {(b - a) / error:+.1f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
