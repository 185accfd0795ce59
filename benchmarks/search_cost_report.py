"""The figures of `search_cost.py` as Markdown: the worst table first, then each, then targets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from estimates import Band, Estimate, band, ratio
from find_table import TUNING
from measured import SHARES, TRIALS, Measured
from methods import MOST_TRIALS, OURS, RECORDED
from targets import FLOPS, Tables, Target, best_baseline

TERA = 1e12


def report(tables: Tables, rows: Sequence[Target], asks: Mapping[int, float]) -> str:
    """All of it."""
    lines = [*worst_first(tables), ""]
    for table in tables.values():
        lines += [*of_table(table), ""]
    lines += ["## Targets", "", *target_rows(rows)]
    if asks:
        taken = ", ".join(f"{seconds:.2f} s at {n:,}" for n, seconds in asks.items())
        lines += ["", f"A proposal in a study of that many trials takes {taken}."]
    return "\n".join(lines)


def worst_first(tables: Tables) -> list[str]:
    """Ours against the best baseline on every table, the worst for ours first."""
    found = {name: best_baseline(table, 0.95, FLOPS) for name, table in tables.items()}
    known = {name: best for name, best in found.items() if best}
    order = sorted(known, key=lambda name: _lowest(known[name][1]))
    lines = [
        "## Ours against the best baseline, the worst table first",
        "",
        "Training compute to 95 % of the hypervolume above the table's median accuracy, medians.",
        "",
        "| table | ours, TFLOPs | best baseline | TFLOPs | baseline / ours |",
        "|---|---:|---|---:|---:|",
    ]
    for name in order:
        best, value = known[name]
        ours, other = (band(tables[name].spent(m, 0.95, FLOPS)).median for m in (OURS, best))
        note = " (for tuning)" if name == TUNING else ""
        never = math.isinf(other.value)
        lines.append(
            f"| {name}{note} | {_tera(ours.value)} | {'none' if never else best} | "
            f"{_tera(other.value)} | {_interval(value)} |"
        )
    return lines


def of_table(table: Measured) -> list[str]:
    """Every method on one table."""
    about = table.about
    lines = [
        f"## {table.name}: {about['members']:,} networks of at most {about['flops_ceiling']:,} "
        f"FLOPs, median accuracy {100 * about['median_accuracy']:.1f} %",
        "",
        "| method | TFLOPs to 90 % | to 95 % (quartiles) | to 98 % | trials to 95 % | seconds to "
        "95 % | 95 %: it / ours | % after "
        f"{', '.join(map(str, TRIALS))} trials | above guessing: TFLOPs to 98 % |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name in table.courses:
        tera = [band(table.spent(name, share, FLOPS)) for share in SHARES]
        trials = band(table.spent(name, 0.95, "trials")).median.value
        seconds = band(table.spent(name, 0.95, "seconds")).median.value
        old = band(table.spent(name, 0.98, FLOPS, "guessing")).median.value
        after = [100 * float(np.median(table.shares_after(name, n))) for n in TRIALS]
        over = (
            _interval(ratio(table.spent(name, 0.95, FLOPS), table.spent(OURS, 0.95, FLOPS)))
            if OURS in table.courses and name != OURS
            else ""
        )
        cells = [
            _tera(tera[0].median.value),
            _quartiles(tera[1]),
            _tera(tera[2].median.value),
            _plain(trials),
            _plain(seconds),
            over,
            ", ".join(f"{value:.0f}" for value in after),
            _tera(old),
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines += ["", _repeats(table)]
    if table.rungs:
        saved = float(np.median([e.saved for e in table.rungs]))
        kept = ratio([e.share for e in table.rungs], [e.share_without for e in table.rungs])
        stopped = sum(e.stopped for e in table.rungs)
        on_front = sum(e.stopped_on_front for e in table.rungs)
        lines += [
            "",
            f"Rungs, studies of {TRIALS[-1]} trials: hypervolume with / without {_interval(kept)}; "
            f"compute saved {100 * saved:.0f} %; of {stopped} stopped trials {on_front} are on the "
            "table's front.",
        ]
    for workers, rows in table.workers.items():
        after = ", ".join(f"{100 * value:.0f}" for value in np.median(rows, axis=0))
        lines += ["", f"Workers {workers}: {after} % after {', '.join(map(str, TRIALS))} trials."]
    return lines


def target_rows(rows: Sequence[Target]) -> list[str]:
    """What is asked, what was measured, and whether that is enough."""
    said = {True: "yes", False: "**no**", None: ""}
    return [
        "| on | what | target | measured | reached |",
        "|---|---|---:|---|---|",
        *(f"| {r.on} | {r.what} | {r.target} | {r.measured} | {said[r.reached]} |" for r in rows),
    ]


def _repeats(table: Measured) -> str:
    counts = {name: len(courses) for name, courses in table.courses.items()}
    own = {n for name, n in counts.items() if name not in RECORDED}
    said = f"{max(own, default=0)} repeats of at most {MOST_TRIALS} trials"
    peers = [f"{name} {n}" for name, n in counts.items() if name in RECORDED]
    if peers:
        said += f"; recorded: {', '.join(peers)}"
    return said + "; *never*: at least half of the repeats had not got there when they ended."


def _lowest(found: Estimate) -> float:
    return math.inf if math.isnan(found.value) else found.value


def _tera(flops: float) -> str:
    return _plain(flops / TERA)


def _plain(value: float) -> str:
    if math.isinf(value):
        return "never"
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def _quartiles(found: Band) -> str:
    middle, lower, upper = (_tera(v) for v in (found.median.value, found.lower, found.upper))
    return f"{middle} ({lower} to {upper})"


def _interval(found: Estimate) -> str:
    if math.isnan(found.value):
        return "neither gets there"
    if found.value == 0:
        return "ours never"
    if math.isinf(found.value):
        return "ours alone"
    low, middle, high = (
        "∞" if math.isinf(v) else f"{v:.2f}" for v in (found.low, found.value, found.high)
    )
    return f"{middle} ({low} to {high})"
