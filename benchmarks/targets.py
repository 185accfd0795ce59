"""What is asked of the search, and whether it is reached: a row a target, each worked out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import equal_time
import numpy as np
from estimates import Estimate, ratio
from find_table import TUNING
from measured import TRIALS, Measured
from methods import BASELINES, OURS, WARM

Tables = Mapping[str, Measured]

BOTORCH, TPE, NSGA2 = "BoTorch, our starts", "TPE, our starts", "NSGA-II"
FLOPS = "training_flops"

NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Target:
    """A row of the table."""

    on: str
    what: str
    target: str
    measured: str = NOT_MEASURED
    reached: bool | None = None
    """None where it was not measured, or what was measured does not decide it."""


def best_baseline(table: Measured, share: float, measure: str) -> tuple[str, Estimate] | None:
    """The baseline that needs least, and how many times ours that is; None if none was run.

    Where no baseline gets there, one that was recorded, if any was: it may get there later.
    """
    run = [name for name in BASELINES if name in table.courses]
    if not run or OURS not in table.courses:
        return None
    found = {name: table.against_ours(name, share, measure) for name in run}
    best = min(
        run,
        key=lambda name: (
            float(np.median(table.spent(name, share, measure))),
            not found[name].is_least,
        ),
    )
    return best, found[best]


def may_need_less(table: Measured, share: float, measure: str) -> dict[str, Estimate]:
    """Recorded baselines that may need less than the best, as far as they were recorded; the least
    that each may need, in times ours."""
    best = best_baseline(table, share, measure)
    if best is None:
        return {}
    found = {
        name: table.against_ours(name, share, measure)
        for name in BASELINES
        if name in table.courses and name != best[0]
    }
    return {n: e for n, e in found.items() if e.is_least and e.value < best[1].value}


def targets(tables: Tables, asks: Mapping[int, float]) -> list[Target]:
    """All rows.

    Args:
        tables: by name; what is not there is not measured.
        asks: seconds of a proposal, by trials.
    """
    reporting = {name: table for name, table in tables.items() if name != TUNING}
    return [
        _times("cifar10", tables, BOTORCH, 1.3),
        _times("cifar10", tables, TPE, 3),
        _times("cifar10", tables, NSGA2, 8),
        _against_best(
            Target("the worst of all tables", "compute to 95 %: best baseline / ours", "0.9"),
            reporting,
            0.95,
            FLOPS,
            0.9,
        ),
        _large(tables),
        *(
            _against_best(
                Target(name, "trials to 90 %: best baseline / ours", "1.5"),
                {name: tables[name]} if name in tables else {},
                0.9,
                "trials",
                1.5,
            )
            for name in ("noisy", "many")
        ),
        _late(tables),
        _saved({name: table for name, table in reporting.items() if name != "late"}),
        _warm_start(reporting),
        _harm(reporting),
        *(_workers(count, reporting) for count in (4, 16)),
        *(_ask(trials, limit, asks) for trials, limit in ((200, 0.1), (2_000, 0.5), (10_000, 1))),
        _equal_time(),
    ]


def _times(name: str, tables: Tables, baseline: str, least: float) -> Target:
    row = Target(name, f"compute to 95 %: {baseline} / ours", f"{least:g}")
    table = tables.get(name)
    if table is None or not {baseline, OURS} <= table.courses.keys():
        return row
    missed = table.not_reached(baseline, 0.95)
    found = table.against_ours(baseline, 0.95, FLOPS)
    return _at_least(row, found, least, f" ({missed})" if missed else "")


def _against_best(row: Target, tables: Tables, share: float, measure: str, least: float) -> Target:
    """The best baseline of each table over ours, where that is least."""
    found = {name: best_baseline(table, share, measure) for name, table in tables.items()}
    known = {name: best for name, best in found.items() if best and not math.isnan(best[1].value)}
    unresolved = [name for name, best in found.items() if best and name not in known]
    neither = [f"neither gets there on {', '.join(unresolved)}"] if unresolved else []
    if not known:
        return _with(row, *neither, False) if neither else row
    missed = [n for n, (_, e) in known.items() if e.value < least and not e.is_least]
    # one that is known to be missed decides, whatever others were recorded too short to say
    worst = min(missed or known, key=lambda name: known[name][1].value)
    best, value = known[worst]
    notes = [f"{worst}: {tables[worst].not_reached(best, share) or best}", *neither]
    bounds = {
        (name, method): other
        for name in known
        for method, other in may_need_less(tables[name], share, measure).items()
    }
    bounds |= {(n, method): e for n, (method, e) in known.items() if n != worst and e.is_least}
    may_be_less = {
        f"{tables[name].not_reached(method, share)} on {name}": other.value
        for (name, method), other in bounds.items()
        if other.value < value.value
    }
    notes += [f"{said}, at least {bound:.3g}" for said, bound in may_be_less.items()]
    done = _at_least(row, value, least, f" ({'; '.join(notes)})")
    is_open = done.reached and min(may_be_less.values(), default=math.inf) < least
    return replace(done, reached=None) if is_open else done


def _large(tables: Tables) -> Target:
    row = Target(
        "large",
        f"hypervolume after {', '.join(map(str, TRIALS))} trials, less the best of random, "
        "NSGA-II, BoTorch",
        "-3 points",
    )
    table = tables.get("large")
    others = ("random", NSGA2, BOTORCH)
    if table is None or OURS not in table.courses:
        return row
    run = [name for name in others if name in table.courses]
    if not run:
        return row

    def points(name: str, trials: int) -> float:
        return 100 * float(np.median(table.shares_after(name, trials)))

    behind = [points(OURS, n) - max(points(name, n) for name in run) for n in TRIALS]
    left_out = [name for name in others if name not in run]
    note = f" (without {', '.join(left_out)})" if left_out else ""
    measured = ", ".join(f"{value:+.1f}" for value in behind) + " points" + note
    return _with(row, measured, min(behind) >= -3)


def _late(tables: Tables) -> Target:
    row = Target("late", "hypervolume after 60 trials with rungs / without", "0.985")
    if "late" not in tables or not tables["late"].rungs:
        return row
    effects = tables["late"].rungs
    return _at_least(
        row, ratio([e.share for e in effects], [e.share_without for e in effects]), 0.985
    )


def _saved(tables: Tables) -> Target:
    row = Target("all other tables", "compute that rungs save in 60 trials, the least", "20 %")
    saved = {
        name: float(np.median([effect.saved for effect in table.rungs]))
        for name, table in tables.items()
        if table.rungs
    }
    if not saved:
        return row
    least = min(saved, key=lambda name: saved[name])
    return _with(row, f"{100 * saved[least]:.0f} % ({least})", saved[least] >= 0.2)


def _warm_ratios(tables: Tables) -> dict[str, Estimate]:
    """By warm start and table, trials to 95 % without it over those with it."""
    return {
        f"{method.removeprefix('ours, warm ')} on {name}": ratio(
            table.spent(OURS, 0.95, "trials"), table.spent(method, 0.95, "trials")
        )
        for name, table in tables.items()
        for method in WARM
        if {OURS, method} <= table.courses.keys()
    }


def _warm_start(tables: Tables) -> Target:
    row = Target(
        "a warm start from another table", "trials to 95 %: without / with, the median", "1.3"
    )
    found = {k: e.value for k, e in _warm_ratios(tables).items() if not math.isnan(e.value)}
    if not found:
        return row
    median = float(np.median(list(found.values())))
    each = ", ".join(f"{name} {value:.2g}" for name, value in found.items())
    return _with(row, f"{median:.3g} ({each})".replace("inf", "∞"), median >= 1.3)


def _harm(tables: Tables) -> Target:
    row = Target("a warm start, the worst", "trials to 95 %: without / with", "0.91")
    found = {k: e for k, e in _warm_ratios(tables).items() if not math.isnan(e.value)}
    if not found:
        return row
    worst = min(found, key=lambda name: found[name].value)
    return _at_least(row, found[worst], 0.91, f" ({worst})")


def _workers(count: int, tables: Tables) -> Target:
    row = Target(f"{count} workers", "loss against one after 60 trials, the most", "under 10 %")
    lost = {
        name: 1 - _last(table.workers[count]) / _last(table.workers[1])
        for name, table in tables.items()
        if table.workers
    }
    if not lost:
        return row
    most = max(lost, key=lambda name: lost[name])
    return _with(row, f"{100 * lost[most]:.1f} % ({most})", lost[most] < 0.1)


def _last(rows: Sequence[Sequence[float]]) -> float:
    return float(np.median([row[-1] for row in rows]))


def _ask(trials: int, limit: float, asks: Mapping[int, float]) -> Target:
    row = Target(f"a proposal at {trials:,} trials", "seconds", f"{limit:g} at most")
    taken = asks.get(trials)
    return row if taken is None else _with(row, f"{taken:.2f}", taken <= limit)


def _equal_time() -> Target:
    """From the file that was kept last: real studies are too long to repeat every time."""
    row = Target(
        "real `mixer_digits`, eight seeds, 60 s each (`equal_time.py`)",
        "difference of hypervolume above the median accuracy to TPE",
        "interval above zero",
    )
    found = equal_time.newest()
    if found is None:
        return row
    file, difference = found
    return _with(row, f"{difference} ({file})", difference.low > 0)


def _at_least(row: Target, found: Estimate, least: float, note: str = "") -> Target:
    if math.isnan(found.value):
        return _with(row, "neither gets there" + note, False)
    if math.isinf(found.value):
        return _with(row, "ours alone gets there" + note, True)
    if found.value == 0:
        return _with(row, "ours does not get there" + note, False)
    interval = f"{found.value:.3g} ({found.low:.3g} to {found.high:.3g})".replace("inf", "∞")
    if found.is_least:
        return _with(row, f"at least {interval}{note}", True if found.value >= least else None)
    return _with(row, interval + note, found.value >= least)


def _with(row: Target, measured: str, reached: bool | None) -> Target:
    return Target(row.on, row.what, row.target, measured, reached)
