"""Real studies of equal wall time: our search, TPE and random search, the last two without rungs.

    python benchmarks/equal_time.py --json FILE             # mixer_digits, eight seeds, 60 s each

Each by the command a user types, in fresh processes with an empty compile cache each, taking turns
at going first; no trial starts after `--seconds`. TPE is multivariate, with constant liar. FILE is
written after every seed; the same command goes on with it. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scipy.stats import t as student

from runs import pareto
from runs.reader import open_reader
from runs.record import State
from runs.winners import candidates, objectives
from search.spec.studies import STUDIES
from search.train.environment import git_revision
from search.train.machine import num_cores

RUN = ["-m", "search.run"]
RUN_TPE = [str(Path(__file__).with_name("run_tpe.py"))]
SIDES = {
    "ours": [*RUN, "--sampler", "cost_aware"],
    "TPE": [*RUN_TPE, "--sampler", "tpe", "--no-rungs"],
    "random": [*RUN, "--sampler", "random", "--no-rungs"],
}
RESULTS = Path(__file__).with_name("results")

Study = Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """The mean of the differences over seeds, and its 95 % interval by Student's t."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.3f} ({self.low:+.3f} to {self.high:+.3f})"


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 2 where the file holds what another command, or another revision, measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", default="mixer_digits", choices=sorted(STUDIES))
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--workers", type=int, default=num_cores())
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--json", type=Path, required=True, help="keep every trial in this file")
    args = parser.parse_args(argv)
    kept = receipt = _receipt(args)
    if args.json.exists():
        kept = json.loads(args.json.read_text())
        for what in ("command", "revision"):
            if kept[what] != receipt[what]:
                print(
                    f"error: --json {args.json}: it holds runs of the {what} {kept[what]}, not of "
                    f"{receipt[what]}; name another file",
                    file=sys.stderr,
                )
                return 2
    runs = kept["runs"]
    for seed in range(len(runs), args.seeds):
        turn = seed % len(SIDES)
        order = [*SIDES][turn:] + [*SIDES][:turn]
        runs.append({"seed": seed} | {side: run(side, seed, args) for side in order})
        args.json.write_text(json.dumps(kept, indent=1) + "\n")
        print(f"seed {seed}: {len(runs[-1]['ours']['accuracies'])} trials of ours", flush=True)
    print(report(kept))
    return 0


def _receipt(args: argparse.Namespace) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": f"python benchmarks/equal_time.py --study {args.study} --seeds {args.seeds} "
        f"--seconds {args.seconds} --workers {args.workers} --json FILE",
        "revision": git_revision(),
        "runs": [],
    }


def run(side: str, seed: int, args: argparse.Namespace) -> Study:
    """FLOPs and accuracies of one study's configurations, and what it took."""
    with tempfile.TemporaryDirectory() as folder:
        storage = f"sqlite:///{folder}/study.db"
        options = {
            "--study": args.study,
            "--study-name": "s",
            "--seed": seed,
            "--trials": 10_000,
            "--timeout": f"{args.seconds}s",
            "--workers": args.workers,
            "--storage": storage,
        }
        if args.data_dir:
            options["--data-dir"] = args.data_dir
        command = [sys.executable, *SIDES[side], "--no-baselines", "--set", 'families=["mixer"]']
        command += [str(word) for option in options.items() for word in option]
        env = os.environ | {"JAX_COMPILATION_CACHE_DIR": f"{folder}/cache"}
        subprocess.run(command, env=env, check=True, capture_output=True)
        with open_reader(storage) as store:
            study, trials = store.study("s"), store.trials("s")
    flops, accuracies = objectives(candidates(trials))
    return {
        "flops": flops,
        "accuracies": accuracies,
        "guess_accuracy": study.guess_accuracy,
        "ceiling": study.cost_ceiling,
        "trials": sum(t.state is not State.REFUSED for t in trials),
        "pruned": sum(t.state is State.PRUNED for t in trials),
        "training_flops": sum(t.training_flops or 0.0 for t in trials),
    }


def median_accuracy(runs: Sequence[Mapping[str, Study]]) -> float:
    """Of what random search trained, whatever the seed: as an ordinary member of the space has."""
    return statistics.median(a for pair in runs for a in pair["random"]["accuracies"])


def hypervolumes(runs: Sequence[Mapping[str, Study]], side: str, floor: float) -> list[float]:
    """A study each, above an accuracy and below the ceiling, in accuracy x decades of FLOPs."""
    return [
        pareto.hypervolume(
            pair[side]["flops"],
            pair[side]["accuracies"],
            pareto.Reference(accuracy=floor, cost=pair[side]["ceiling"]),
        )
        for pair in runs
    ]


def difference(ours: Sequence[float], others: Sequence[float]) -> Difference:
    """Of two sides with the same seeds, at least two of them."""
    each = [a - b for a, b in zip(ours, others, strict=True)]
    mean, error = statistics.fmean(each), statistics.stdev(each) / len(each) ** 0.5
    half = float(student.ppf(0.975, len(each) - 1)) * error
    return Difference(mean, mean - half, mean + half)


def newest() -> tuple[str, Difference] | None:
    """The file in `results` that was kept last, and the difference to TPE above the median."""
    files = sorted(RESULTS.glob("*-equal-time.json"))
    if not files:
        return None
    runs = json.loads(files[-1].read_text())["runs"]
    floor = median_accuracy(runs)
    return files[-1].name, difference(
        hypervolumes(runs, "ours", floor), hypervolumes(runs, "TPE", floor)
    )


def report(kept: Mapping[str, Any]) -> str:
    """Every study's hypervolume, and the differences, as Markdown."""
    runs = kept["runs"]
    middle = median_accuracy(runs)
    lines = [f"{kept['command']}, {kept['date']}, revision {kept['revision']}"]
    floors = {
        f"the median accuracy of random networks, {100 * middle:.1f} %": middle,
        "guessing": runs[0]["ours"]["guess_accuracy"],
    }
    for name, floor in floors.items():
        by_side = {side: hypervolumes(runs, side, floor) for side in SIDES}
        lines += ["", f"Hypervolume above {name} (trials):", ""]
        lines += ["| seed | " + " | ".join(SIDES) + " |", "|---:" * (len(SIDES) + 1) + "|"]
        lines += [
            f"| {pair['seed']} | "
            + " | ".join(f"{by_side[side][i]:.4f} ({pair[side]['trials']})" for side in SIDES)
            + " |"
            for i, pair in enumerate(runs)
        ]
        if len(runs) > 1:
            for side in [*SIDES][1:]:
                found = difference(by_side["ours"], by_side[side])
                share = found.mean / statistics.fmean(by_side[side])
                lines += ["", f"ours - {side}: {found}, {100 * share:+.0f} % of {side}'s mean"]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
