"""How much training it takes a search to find a table's front: samplers and early stopping.

    python benchmarks/search_cost.py --table digits --repeats 20

Every method searches the recorded trainings of `benchmarks/tables/` by the coordinator of
`search.run`, once a repeat; see benchmarks/README.md for what is counted. Repeats 1000 and up
were used to choose our settings and are not for reporting.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from learning_curves import read_table
from simulator import Recorded, Replay, recorded, replay

from runs.record import State
from search.schedule.stopping_rule import Peer, TooFarBehind
from search.spec.rungs import NO_RUNGS, RungSpec
from search.train.environment import git_revision
from search.train.machine import num_cores
from space.errors import MixerSearchError

Floats = npt.NDArray[np.float64]

SHARES = (0.9, 0.95, 0.98)
TARGET = SHARES[-1]
"""Where a study ends."""


def top_third(peer: Peer, others: list[Peer], spread: float | None) -> TooFarBehind | None:
    """Asynchronous successive halving (Li et al. 2020) on the accuracy alone."""
    better = sorted((p for p in others if p.accuracy > peer.accuracy), key=lambda p: -p.accuracy)
    kept = max(1, (len(others) + 1) // RungSpec().eta)
    return TooFarBehind(better[kept - 1], 0.0) if len(better) >= kept else None


METHODS: dict[str, dict[str, Any]] = {
    "random": {"sampler": "random", "rungs": NO_RUNGS},
    "successive halving": {"sampler": "random", "rule": top_third, "rungs": RungSpec(spared=0)},
    "TPE": {"sampler": "tpe", "rungs": NO_RUNGS},
    "NSGA-II": {"sampler": "nsga2", "rungs": NO_RUNGS},
    "random with our rungs": {"sampler": "random"},
    "ours without rungs": {"sampler": "cost_aware", "rungs": NO_RUNGS},
    "ours": {"sampler": "cost_aware"},
}
LINES: dict[str, dict[str, Any]] = {
    "random": {"color": "#999999", "width": 6},
    "successive halving": {"color": "#CC79A7", "width": 2},
    "TPE": {"color": "#0072B2", "width": 2},
    "NSGA-II": {"color": "#E69F00", "width": 2, "dash": "dash"},
    "random with our rungs": {"color": "#000000", "width": 2, "dash": "dot"},
    "ours without rungs": {"color": "#56B4E9", "width": 6},
    "ours": {"color": "#009E73", "width": 2},
}
"""How each is drawn, in this order: of those that may coincide the wide and whole ones first."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", default="digits", help="a name, or a .parquet file")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="the first repeat's seed")
    parser.add_argument("--methods", default=",".join(METHODS), help="names, comma-separated")
    parser.add_argument("--png", type=Path, help="draw a figure into this file")
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    args = parser.parse_args()
    try:
        table_of(args.table)
    except MixerSearchError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    methods = [name for name in METHODS if name in args.methods.split(",")]
    seeds = range(args.first, args.first + args.repeats)
    replays: dict[str, list[Replay]] = {}
    with ProcessPoolExecutor(num_cores(), mp_context=get_context("spawn")) as pool:
        for name in methods:
            jobs = [pool.submit(to_the_target, args.table, name, seed) for seed in seeds]
            replays[name] = [job.result() for job in jobs]
            print(line(name, replays[name]), flush=True)
        regrets = [
            pool.submit(regret, args.table, name, args.first + i)
            for name, times in RUNGED.items()
            for i in range(times * args.repeats)
        ]
        many = {
            workers: [pool.submit(after, args.table, workers, seed) for seed in seeds]
            for workers in (1, 4, 16)
        }
        figures = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": "python benchmarks/search_cost.py " + " ".join(sys.argv[1:]),
            "revision": git_revision(),
            "table": read_table(args.table).about,
            "training_flops_to": {
                name: {share: [r.training_flops_to(share) for r in done] for share in SHARES}
                for name, done in replays.items()
            },
            "seconds_to_98": {
                name: [r.points[-1].seconds for r in d] for name, d in replays.items()
            },
            "regret": summed(regrets),
            "hypervolume_after_trials": {
                workers: [job.result() for job in jobs] for workers, jobs in many.items()
            },
        }
    print(report(figures))
    if args.png:
        draw(replays, args.png)
        print(f"drawn into {args.png}")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n")
        print(f"written to {args.json}")


@cache
def table_of(name: str) -> Recorded:
    """The table, read once a process."""
    return recorded(read_table(name))


def to_the_target(table: str, method: str, seed: int) -> Replay:
    """A study until it has 98 % of the table's hypervolume."""
    return replay(table_of(table), seed=seed, until=TARGET, **METHODS[method])


RUNGED = {"ours": 5, "random with our rungs": 1}
"""Whose regret is measured, over how many times the repeats: ours stops few trials a study."""

TRIALS = (15, 30, 60)
"""After so many trials workers are compared, and the last is a study's length for regret."""


def regret(table: str, method: str, seed: int) -> tuple[str, int, int, float]:
    """The method, how many trials it stopped, how many are on the table's front, compute saved."""
    recorded_table = table_of(table)
    num_trials = TRIALS[-1] if method == "ours" else len(recorded_table.trainings)
    done = replay(recorded_table, seed=seed, num_trials=num_trials, **METHODS[method])
    front = recorded_table.front()
    stopped = [t for t in done.trials if t.state is State.PRUNED]
    saved = sum(t.flops * (t.epochs - (t.rung or 0)) for t in stopped)
    whole = sum(t.flops * t.epochs for t in done.trials if t.state is not State.REFUSED)
    return method, len(stopped), sum(t.config in front for t in stopped), saved / whole


def summed(jobs: list[Any]) -> dict[str, dict[str, float]]:
    """Over the repeats."""
    found = [job.result() for job in jobs]
    totals = {}
    for name in RUNGED:
        mine = [f for f in found if f[0] == name]
        totals[name] = {
            "studies": len(mine),
            "stopped": sum(f[1] for f in mine),
            "stopped_on_front": sum(f[2] for f in mine),
            "compute_saved": float(np.median([f[3] for f in mine])),
        }
    return totals


def after(table: str, workers: int, seed: int) -> list[float]:
    """The share of the hypervolume our search has after so many trials."""
    done = replay(
        table_of(table), seed=seed, workers=workers, num_trials=TRIALS[-1], **METHODS["ours"]
    )
    return [max(p.hypervolume for p in done.points if p.trials <= n) for n in TRIALS]


def line(name: str, done: list[Replay]) -> str:
    """A method as a row of the table."""
    medians = [np.median([r.training_flops_to(share) for r in done]) / 1e12 for share in SHARES]
    trials = np.median([r.points[-1].trials for r in done])
    return f"{name:<20}" + "".join(f"{m:9.3f}" for m in medians) + f"  TFLOP  {trials:5.0f} trials"


def report(figures: dict[str, Any]) -> str:
    """The figures as Markdown."""
    spent = figures["training_flops_to"]
    lines = [
        f"{figures['date']}, revision {figures['revision']}",
        "",
        "| method | to 90 % | to 95 % | to 98 % (quartiles) | TPE / it | NSGA-II / it |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, by_share in spent.items():
        values = np.array(by_share[0.98]) / 1e12
        quartiles = np.quantile(values, [0.25, 0.75], method="nearest")
        ratios = [
            f"{np.median(spent[other][0.98]) / 1e12 / np.median(values):.1f}"
            if other in spent
            else "-"
            for other in ("TPE", "NSGA-II")
        ]
        early = [f"{np.median(by_share[share]) / 1e12:.3f}" for share in SHARES[:2]]
        last = f"{np.median(values):.3f} ({quartiles[0]:.3f} to {quartiles[1]:.3f})"
        lines.append(f"| {name} | " + " | ".join([*early, last, *ratios]) + " |")
    lines += ["", "Training TFLOPs, medians.", ""]
    for name, r in figures["regret"].items():
        share = r["stopped_on_front"] / r["stopped"] if r["stopped"] else 0.0
        lines.append(
            f"{name}, {r['studies']} studies: {r['stopped']} stopped, of them on the table's front "
            f"{r['stopped_on_front']} ({100 * share:.1f} %); compute saved, median "
            f"{100 * r['compute_saved']:.0f} %"
        )
    for workers, shares in figures["hypervolume_after_trials"].items():
        medians = ", ".join(
            f"{100 * m:.1f} % after {n}"
            for m, n in zip(np.median(shares, axis=0), TRIALS, strict=True)
        )
        lines.append(f"{workers} workers: {medians} trials")
    return "\n".join(lines)


def quartiles(done: list[Replay]) -> tuple[Floats, Floats]:
    """Training FLOPs, and the quartiles of the shares of the hypervolume: a row each.

    They end where half of the studies have ended: beyond, a median would be of nobody. A study that
    has reached the target counts as being there, however far beyond its last trial has taken it.
    """
    first = min(r.points[0].training_flops for r in done)
    last = np.quantile([r.points[-1].training_flops for r in done], 0.5, method="higher")
    flops = np.geomspace(first, last, 200)
    return flops, np.quantile([_shares(r, flops) for r in done], [0.25, 0.5, 0.75], axis=0)


def _shares(done: Replay, flops: Floats) -> Floats:
    spent = [0.0, *(p.training_flops for p in done.points)]
    shares = np.array([0.0, *(min(p.hypervolume, TARGET) for p in done.points)])
    return shares[np.searchsorted(spent, flops, side="right") - 1]


def draw(replays: dict[str, list[Replay]], path: Path) -> None:
    """Hypervolume against training FLOPs: the median of the repeats and their quartiles."""
    bands, lines = [], []
    for name, done in replays.items():
        flops, (low, middle, high) = quartiles(done)
        around = {"x": [*flops, *flops[::-1]], "y": [*high, *low[::-1]]}
        faint = {"fill": "toself", "fillcolor": LINES[name]["color"], "opacity": 0.15}
        bands.append(go.Scatter(**around, **faint, mode="none", showlegend=False))
        lines.append(go.Scatter(x=flops, y=middle, name=name, mode="lines", line=LINES[name]))
    figure = go.Figure([*bands, *lines])
    figure.add_hline(y=TARGET, line={"width": 1, "dash": "dot"})
    figure.update_xaxes(type="log", title="Training FLOPs spent", exponentformat="power")
    figure.update_yaxes(title="Share of the table's hypervolume", tickformat=".0%", range=[0.4, 1])
    figure.update_layout(template="simple_white", width=900, height=520, margin_t=30)
    write_png(figure, path)


def write_png(figure: go.Figure, path: Path) -> None:
    """Draws with the browser the tests use."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 900, "height": 520}, device_scale_factor=2)
        page.set_content(figure.to_html(include_plotlyjs=True, full_html=True))
        page.wait_for_selector(".main-svg")
        page.screenshot(path=str(path))
        browser.close()


CHROMIUM = shutil.which("chromium")

if __name__ == "__main__":
    main()
