"""The figures of `search_cost.py` as Markdown: the worst table first, then each, then targets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from estimates import Band, Estimate, band, ratio
from find_table import TUNING
from measured import SHARES, TRIALS, Measured
from methods import MOST_TRIALS, OURS, PEER_TRIALS, RECORDED
from targets import FLOPS, Tables, Target, best_baseline, may_need_less

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
    """Ours against the best baseline on every table, the worst for ours first; last, where only a
    bound is known."""
    found = {name: best_baseline(table, 0.95, FLOPS) for name, table in tables.items()}
    known = {name: best for name, best in found.items() if best}
    order = sorted(known, key=lambda name: (known[name][1].is_least, _lowest(known[name][1])))
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
        none = math.isinf(other.value) and best not in RECORDED
        lines.append(
            f"| {name}{note} | {_tera(ours.value)} | {'none' if none else best} | "
            f"{_tera(other.value, best)} | {_interval(value)} |"
        )
    may_be_less = [
        f"- {name}: {tables[name].not_reached(method, 0.95)}; {_interval(least)} times ours."
        for name in order
        for method, least in may_need_less(tables[name], 0.95, FLOPS).items()
    ]
    if may_be_less:
        lines += [
            "",
            "These were recorded too short to say whether they need less than the best:",
            "",
        ]
    return lines + may_be_less


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
            _interval(table.against_ours(name, 0.95, FLOPS))
            if OURS in table.courses and name != OURS
            else ""
        )
        cells = [
            _tera(tera[0].median.value, name),
            _quartiles(tera[1], name),
            _tera(tera[2].median.value, name),
            _plain(trials, name),
            _plain(seconds, name),
            over,
            ", ".join(f"{value:.0f}" for value in after),
            _tera(old, name),
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
        said += f"; recorded, of at most {PEER_TRIALS} trials: {', '.join(peers)}"
    said += "; *never*: at least half of the repeats had not got there when they ended"
    if peers:
        said += f"; *not in {PEER_TRIALS}*: the same of recorded ones, which may get there later"
    return said + "."


def _lowest(found: Estimate) -> float:
    return math.inf if math.isnan(found.value) else found.value


def _tera(flops: float, method: str = OURS) -> str:
    return _plain(flops / TERA, method)


def _plain(value: float, method: str = OURS) -> str:
    if math.isinf(value):
        return f"not in {PEER_TRIALS}" if method in RECORDED else "never"
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def _quartiles(found: Band, method: str) -> str:
    middle, lower, upper = (
        _tera(value, method) for value in (found.median.value, found.lower, found.upper)
    )
    return middle if middle == lower == upper else f"{middle} ({lower} to {upper})"


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
    return f"{'at least ' if found.is_least else ''}{middle} ({low} to {high})"
