"""How much training it takes a search to find a table's front: ours and baselines, on all tables.

    python benchmarks/search_cost.py --all
    python benchmarks/search_cost.py --tables digits,large --methods "ours;TPE, our starts"

Every method searches recorded or generated learning curves by the coordinator of `search.run`,
once a repeat; see benchmarks/README.md for what is counted. Of these tables
settings may be chosen on repeats 1000 and up of `digits` alone; those are not for reporting.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # a process a core: threads would wait for each other
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from ask_seconds import ask_seconds
from find_table import TUNING, all_tables, find_table
from measured import Measured, measure
from methods import METHODS
from peers import read_peers
from search_cost_figure import check_browser, figure_of, write_png
from search_cost_report import report
from targets import targets

from search.train.environment import git_revision
from search.train.machine import num_cores
from space.errors import MixerSearchError

ASKED_AT = (200, 2_000, 10_000)
"""Trials of the studies in which a proposal is timed."""


class UnknownMethodError(MixerSearchError):
    """A method that there is not."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, prints, keeps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--all", action="store_true", help="every table, and seconds of a proposal")
    what.add_argument("--tables", default=TUNING, help="names or .parquet files, comma-separated")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="the first repeat's seed")
    parser.add_argument("--methods", default=";".join(METHODS), help="names, separated by ;")
    parser.add_argument("--figures", type=Path, help="draw a figure a table into this folder")
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    words = list(sys.argv[1:] if argv is None else argv)
    args = parser.parse_args(words)
    names = all_tables() if args.all else args.tables.split(",")
    seeds = range(args.first, args.first + args.repeats)
    tables: dict[str, Measured] = {}
    revision, began = git_revision(), time.monotonic()
    try:
        methods = _methods(args.methods)
        if args.figures:  # before anything runs
            check_browser()
        for name in names:
            read_peers(name, find_table(name))
        with ProcessPoolExecutor(num_cores(), mp_context=get_context("spawn")) as pool:
            # one after another: what runs beside it would be timed too
            asks = {n: pool.submit(ask_seconds, n).result() for n in ASKED_AT if args.all}
            for name in names:
                tables[name] = measure(pool, name, seeds, methods)
                print(f"{name}: measured", file=sys.stderr, flush=True)
    except MixerSearchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    rows = targets(tables, asks)
    receipt = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": "python benchmarks/search_cost.py " + " ".join(words),
        "revision": revision,
        "machine": f"{platform.machine()}, {num_cores()} cores, Python {platform.python_version()}",
        "minutes": round((time.monotonic() - began) / 60, 1),
        "repeats": args.repeats,
    }
    print(", ".join(f"{name} {value}" for name, value in receipt.items()) + "\n")
    print(report(tables, rows, asks))
    if args.json:
        kept = {
            "tables": {name: table.as_json() for name, table in tables.items()},
            "targets": [vars(row) for row in rows],
            "ask_seconds": asks,
        }
        args.json.write_text(json.dumps(receipt | kept, indent=1) + "\n")
    if args.figures:
        args.figures.mkdir(parents=True, exist_ok=True)
        for name, table in tables.items():
            write_png(figure_of(table), args.figures / f"{Path(name).stem}-search-cost.png")
    return 0


def _methods(given: str) -> list[str]:
    """Those named, in the order they are compared.

    Raises:
        UnknownMethodError: one is not known.
    """
    asked = [name.strip() for name in given.split(";")]
    for name in asked:
        if name not in METHODS:
            raise UnknownMethodError(
                f"method {name!r} is unknown; name some of these, separated by a semicolon: "
                + "; ".join(METHODS)
            )
    return [name for name in METHODS if name in asked]


if __name__ == "__main__":
    sys.exit(main())
