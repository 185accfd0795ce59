"""What a second worker is worth: the same study by one worker and by several.

    python benchmarks/more_workers.py                     # mixer_digits, 20 trials, 1 and 2 workers

The same configurations by the command a user types, in fresh processes that take turns at going
first: cold with an empty compile cache each, warm with one that has seen the list. Seconds are
those of the whole process; the share of the cores' time it used says what was left to gain.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runs.accounting import account
from runs.reader import open_reader
from search.spec.studies import STUDIES
from search.train.devices import choose
from search.train.environment import find_environment
from search.train.machine import num_cores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", default="mixer_digits", choices=sorted(STUDIES))
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--workers", type=int, default=num_cores(), help="against one")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    args = parser.parse_args()
    found = find_environment(choose())
    runs = []
    for turn in range(args.rounds):
        with tempfile.TemporaryDirectory() as caches:
            for cache in ("cold", "warm"):
                for workers in sorted({1, args.workers}, reverse=bool(turn % 2)):
                    measured = run(workers, Path(caches), args)
                    runs.append({"round": turn, "cache": cache, "workers": workers} | measured)
                    print(
                        f"{cache}, {workers} workers: {measured['seconds']:.1f} s, "
                        f"cores busy {100 * measured['cpu_share']:.0f} %, "
                        f"devices {100 * measured['busy_share']:.0f} %, "
                        f"{measured['cache_hits']} programs from the cache",
                        flush=True,
                    )
    for cache in ("cold", "warm"):
        one, more = (
            [r["seconds"] for r in runs if (r["cache"], r["workers"]) == (cache, workers)]
            for workers in (1, args.workers)
        )
        ratios = [a / b for a, b in zip(one, more, strict=True)]
        print(
            f"{cache}: {args.workers} workers are {statistics.median(ratios):.2f} times as fast as "
            f"one ({min(ratios):.2f} to {max(ratios):.2f})"
        )
    if args.json:
        receipt = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": "python benchmarks/more_workers.py " + " ".join(sys.argv[1:]),
            "device": found.device_kind,
            "cpu_cores": num_cores(),
            "versions": found.versions,
            "revision": found.git_revision,
            "runs": runs,
        }
        args.json.write_text(json.dumps(receipt, indent=1) + "\n")
        print(f"written to {args.json}")


def run(workers: int, caches: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Seconds of one study, and how busy its devices were."""
    with tempfile.TemporaryDirectory() as folder:
        storage = f"sqlite:///{folder}/study.db"
        command = [sys.executable, "-m", "search.run", "--study", args.study]
        command += ["--set", 'families=["mixer"]']
        command += ["--trials", str(args.trials), "--workers", str(workers), "--storage", storage]
        command += ["--sampler", "random", "--no-rungs", "--no-baselines"]
        if args.data_dir:
            command += ["--data-dir", str(args.data_dir)]
        env = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(caches / f"{workers} workers")}
        began, cpu = time.perf_counter(), cpu_seconds()
        subprocess.run(command, env=env, check=True, capture_output=True)
        seconds, cpu = time.perf_counter() - began, cpu_seconds() - cpu
        with open_reader(storage) as store:
            spent = account(store.trials(args.study))
    return {
        "seconds": seconds,
        "cpu_share": cpu / seconds / num_cores(),
        "busy_share": spent.busy_share,
        "cache_hits": spent.cache_hits,
    }


def cpu_seconds() -> float:
    """Of all processes that have ended, their own included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
