"""Records how the searches of other packages go, since these are too slow to repeat every time.

    pip install -c constraints.txt -e '.[peers]'
    python benchmarks/peers.py --tables digits,large --repeats 8

GPSampler and BoTorch search the same tables by the same coordinator as all others; where each study
stood after its trials is kept in `benchmarks/results/peers/TABLE.json`, with what it was made by.
`search_cost.py --all` compares with that. A command that was interrupted goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import sys
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from course import Course
from find_table import all_tables, find_table
from joint_sampler import SPREAD_STARTS
from learning_curves import TableError
from methods import METHODS, PEER_TRIALS, RECORDED, TARGET, course_of
from table import Table

from search.train.environment import git_revision
from search.train.machine import num_cores
from space.errors import MixerSearchError
from space.families import label_of

RESULTS = Path(__file__).with_name("results") / "peers"
LIBRARIES = ("botorch", "gpytorch", "torch", "optuna", "numpy", "scipy")


def main() -> int:
    """Records what is not recorded yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", default=",".join(all_tables()))
    parser.add_argument("--methods", default=";".join(RECORDED), help="separated by ;")
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument(
        "--trials", type=int, default=PEER_TRIALS, help="of a study; fewer are a rehearsal"
    )
    parser.add_argument("--folder", type=Path, default=RESULTS)
    args = parser.parse_args()
    if not is_installed():
        print(
            "error: BoTorch is not installed here; pip install -c constraints.txt -e '.[peers]', "
            "and repeat the command",
            file=sys.stderr,
        )
        return 2
    os.environ["OMP_NUM_THREADS"] = "1"  # a process a core has more than threads would
    args.folder.mkdir(parents=True, exist_ok=True)
    try:
        tables = {name: find_table(name) for name in args.tables.split(",")}
        for name, table in tables.items():  # before anything runs
            _kept(args.folder, name, table, args.trials)
    except MixerSearchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    revision = git_revision()  # of the code that runs, whatever is changed meanwhile
    methods, seeds = args.methods.split(";"), range(args.repeats)
    with ProcessPoolExecutor(num_cores(), mp_context=get_context("spawn")) as pool:
        for name in tables:
            record(pool, name, methods, seeds, args.trials, args.folder, revision)
    return 0


def is_installed() -> bool:
    """Whether the packages are here that the recorded methods need."""
    return find_spec("botorch") is not None


def read_peers(name: str, table: Table, folder: Path = RESULTS) -> dict[str, list[Course]]:
    """The recorded courses on a table by method; none where none were recorded.

    Raises:
        TableError: they were recorded on another table of that name, began with other starts than
            ours, or are of other lengths than all that are recorded.
    """
    if not (folder / f"{name}.json").exists():
        return {}
    return {
        method: [Course.from_rows(rows) for rows in by_seed.values()]
        for method, by_seed in _kept(folder, name, table, PEER_TRIALS)["courses"].items()
    }


def record(
    pool: Executor,
    name: str,
    methods: Sequence[str],
    seeds: Sequence[int],
    trials: int = PEER_TRIALS,
    folder: Path = RESULTS,
    revision: str | None = None,
) -> None:
    """Adds what a table's file does not hold yet, written as each study ends.

    Raises:
        TableError: what it holds is of another table, with other starts, or of other lengths.
    """
    path, kept = folder / f"{name}.json", _kept(folder, name, find_table(name), trials)
    courses: dict[str, dict[str, Any]] = kept["courses"]
    before = kept["recorded"]
    missing = {
        pool.submit(_course, name, method, seed, trials): (method, str(seed))
        for seed in seeds
        for method in methods
        if str(seed) not in courses.get(method, {})
    }
    for job in as_completed(missing):
        method, seed = missing[job]
        courses.setdefault(method, {})[seed] = job.result().as_rows()
        kept["recorded"] = [*before, _receipt(revision)]
        path.write_text(json.dumps(kept, indent=1) + "\n")
        print(f"{name}: {method}, seed {seed}, written to {path}", flush=True)


def _kept(folder: Path, name: str, table: Table, trials: int) -> dict[str, Any]:
    """What was recorded on a table: courses by method and seed, as rows, and the receipts of the
    commands that did it. What was recorded otherwise is refused."""
    path = folder / f"{name}.json"
    if not path.exists():
        about = {"table": fingerprint(table), "starts": starts(table), "trials": trials}
        return about | {"recorded": [], "courses": {}}
    kept: dict[str, Any] = json.loads(path.read_text())
    if kept["table"] != fingerprint(table):
        raise TableError(
            f"{path} was recorded on another table {name}; remove it and repeat benchmarks/peers.py"
        )
    if kept["starts"] != starts(table):
        raise TableError(
            f"{path} holds studies that began with our starts as they were; remove it and repeat "
            "benchmarks/peers.py"
        )
    if kept["trials"] != trials:
        raise TableError(
            f"{path} holds studies of {kept['trials']} trials, not of {trials}; remove it and "
            f"repeat benchmarks/peers.py{'' if trials == PEER_TRIALS else f' --trials {trials}'}"
        )
    return kept


def fingerprint(table: Table) -> dict[str, Any]:
    """What tells a table from another of the same name."""
    return {
        "members": len(table.members),
        "flops_ceiling": table.flops_ceiling,
        "hypervolume": {k: round(v, 9) for k, v in table.whole_hypervolume.items()},
    }


def starts(table: Table) -> list[str]:
    """The trials that our search of seed 0 begins with, as recorded methods do."""
    begun = METHODS["ours, no rungs"].replay(table, seed=0, num_trials=SPREAD_STARTS)
    return [label_of(trial.config) for trial in begun.trials]


def _course(table: str, method: str, seed: int, trials: int) -> Course:
    return course_of(find_table(table), method, seed, until=TARGET, num_trials=trials)


def _receipt(revision: str | None) -> dict[str, Any]:
    versions = {"python": platform.python_version()}
    for library in LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            continue
    return {
        "command": "python benchmarks/peers.py " + shlex.join(sys.argv[1:]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "revision": revision,
        "machine": f"{platform.machine()}, {num_cores()} cores",
        "versions": versions,
    }


if __name__ == "__main__":
    sys.exit(main())
