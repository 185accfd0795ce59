"""Real studies of equal wall time: our search against TPE without early stopping.

    python benchmarks/equal_time.py                            # mixer_digits, five seeds, 60 s each

Both sides by the command a user types, in fresh processes with an empty compile cache each, taking
turns at going first; no trial starts after `--seconds`. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from runs import pareto
from runs.reader import open_reader
from runs.record import State
from runs.winners import candidates, objectives, reference_of
from search.spec.studies import STUDIES
from search.train.environment import git_revision
from search.train.machine import num_cores

SIDES = {
    "ours": ["--sampler", "cost_aware"],
    "TPE": ["--sampler", "tpe", "--no-rungs"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", default="mixer_digits", choices=sorted(STUDIES))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--workers", type=int, default=num_cores())
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    args = parser.parse_args()
    runs = []
    print("| seed | hypervolume ours | TPE | trials ours | TPE |\n|---:|---:|---:|---:|---:|")
    for seed in range(args.seeds):
        order = list(SIDES) if seed % 2 == 0 else list(reversed(SIDES))
        pair = {side: run(side, seed, args) for side in order}
        runs.append({"seed": seed} | pair)
        ours, tpe = pair["ours"], pair["TPE"]
        print(
            f"| {seed} | {ours['hypervolume']:.3f} | {tpe['hypervolume']:.3f} "
            f"| {ours['trials']} | {tpe['trials']} |",
            flush=True,
        )
    wins = sum(pair["ours"]["hypervolume"] > pair["TPE"]["hypervolume"] for pair in runs)
    print(f"\nours is higher in {wins} of {len(runs)}")
    if args.json:
        receipt = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": "python benchmarks/equal_time.py " + " ".join(sys.argv[1:]),
            "revision": git_revision(),
            "workers": args.workers,
            "runs": runs,
        }
        args.json.write_text(json.dumps(receipt, indent=1) + "\n")
        print(f"written to {args.json}")


def run(side: str, seed: int, args: argparse.Namespace) -> dict[str, float]:
    """Hypervolume and trials of one study."""
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
        command = [sys.executable, "-m", "search.run", "--no-baselines", *SIDES[side]]
        command += ["--set", 'families=["mixer"]']
        command += [str(word) for option in options.items() for word in option]
        env = os.environ | {"JAX_COMPILATION_CACHE_DIR": f"{folder}/cache"}
        subprocess.run(command, env=env, check=True, capture_output=True)
        with open_reader(storage) as store:
            study, trials = store.study("s"), store.trials("s")
    found = objectives(candidates(trials))
    return {
        "hypervolume": pareto.hypervolume(*found, reference_of(study)),
        "trials": sum(t.state is not State.REFUSED for t in trials),
        "pruned": sum(t.state is State.PRUNED for t in trials),
        "training_flops": sum(t.training_flops or 0.0 for t in trials),
    }


if __name__ == "__main__":
    main()
