"""Two or more studies side by side: which can be compared, and what they have reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from runs import pareto, winners
from runs.confirmation.sentence import budgets
from runs.confirmed import Confirmed
from runs.confirmed_best import best_confirmed
from runs.noise import longer_arm
from runs.record import State, StudyRecord, TrialRecord
from runs.snapshot import History, Snapshot
from runs.study_kind import may_search, searches_nothing
from runs.wording import with_arm
from space.costs import Cost
from space.quantities import format_count

MISSING = "–"
"""Where a specification has no such entry."""

_NOTES = {"earlier", "first_name", "rate_of", "rate_studies"}
"""Entries that are names of studies, or what was taken from them, and ask for nothing."""


@dataclass(frozen=True, kw_only=True)
class Comparable:
    """What of several studies can be compared with the first that searches."""

    kept: Mapping[str, Snapshot]
    """By the name a study is shown under, the one that others are compared with first."""
    left_out: Mapping[str, str]
    """Why the accuracies of a study are not comparable with those of the first, by its name."""
    remarks: Mapping[str, str]
    """What is to be known of one that is compared, by its name."""
    other_costs: Mapping[str, str]
    """Why the hypervolume of one that is compared is not, by its name."""


def comparable(studies: Mapping[str, Snapshot]) -> Comparable:
    """Which of one or more studies can be compared with the first of them that searches.

    Accuracies are comparable on the same images; hypervolumes if they are areas over the same cost
    as well.
    """
    searches = [s for s in studies.values() if may_search(s.study) and not searches_nothing(s)]
    first = [*searches, *studies.values()][0].study
    left_out, remarks, other_costs = {}, {}, {}
    for name, snapshot in studies.items():
        study = snapshot.study
        if study.fine_tunes is not None:
            left_out[name] = "it fine-tunes a preset and searches nothing"
        elif searches_nothing(snapshot):
            left_out[name] = "it searches nothing: its configurations were given"
        elif (why := _other_task(study, first)) is not None:
            left_out[name] = why
        else:
            if study.data_digest != first.data_digest:
                remarks[name] = "trained or validated on other images of the same data set"
            if study.cost.name != first.cost.name:
                other_costs[name] = f"it minimises {study.cost.label}, not {first.cost.label}"
    kept = {name: snapshot for name, snapshot in studies.items() if name not in left_out}
    return Comparable(kept=kept, left_out=left_out, remarks=remarks, other_costs=other_costs)


def common_reference(studies: Sequence[StudyRecord]) -> pareto.Reference:
    """One point to measure the hypervolumes of all of them to: guessing, at the highest ceiling.

    A study's own is at its own ceiling: with a lower one the same front has less area.
    """
    return pareto.Reference(
        accuracy=max(study.guess_accuracy for study in studies),
        cost=max(study.cost_ceiling for study in studies),
    )


def histories(studies: Mapping[str, Snapshot]) -> dict[str, History]:
    """The hypervolume of each as its search went on, all measured to `common_reference`.

    Args:
        studies: `Comparable.kept` less those of other costs; those without a finished
            configuration are left out.
    """
    if not studies:
        return {}
    reference = common_reference([snapshot.study for snapshot in studies.values()])
    return {
        name: snapshot.history_to(reference) for name, snapshot in studies.items() if snapshot.found
    }


def only_what_differs(specs: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """What specifications do not have in common, a row an entry and a column a specification.

    Column `Entry` has the way to an entry, such as `recipe.epochs`; the others are called as
    the specifications are. Values are text, `–` where there is none.
    """
    flat = {name: _flat(spec) for name, spec in specs.items()}
    entries = dict.fromkeys(entry for one in flat.values() for entry in one)
    rows = []
    for entry in entries:
        values = {name: one.get(entry, MISSING) for name, one in flat.items()}
        if len(set(values.values())) > 1:
            rows.append({"Entry": entry, **values})
    return pd.DataFrame(rows, columns=["Entry", *specs])


def reached_table(
    studies: Mapping[str, Snapshot], confirmed: Mapping[str, Confirmed] | None = None
) -> pd.DataFrame:
    """One row a study.

    Columns: Study, Best accuracy (with half of its interval), Over fresh seeds (the same of the
    best confirmed, where any of the studies is confirmed), On the front, Finished, Trials,
    Training FLOPs (of the search).
    """
    rows = []
    for name, snapshot in studies.items():
        best = max(snapshot.found, key=lambda t: t.accuracy or 0.0, default=None)
        spent = sum(trial.training_flops or 0.0 for trial in snapshot.searched)
        rows.append(
            {
                "Study": name,
                "Best accuracy": _written(snapshot, best),
                **({"Over fresh seeds": _fresh(confirmed.get(name))} if confirmed else {}),
                "On the front": len(snapshot.front),
                "Finished": snapshot.counts[State.COMPLETE],
                "Trials": len(snapshot.searched),
                "Training FLOPs": format_count(spent),
            }
        )
    return pd.DataFrame(rows)


def within_budgets_table(studies: Mapping[str, Snapshot], cost: Cost) -> pd.DataFrame:
    """One row a budget: the most accurate that each study found within it.

    Columns: At most (the budget, written), and each study by its name; accuracies have half of
    their intervals. No rows where no study has found anything whose cost is known.
    """
    fronts = {
        name: winners.front(snapshot.found, snapshot.study.min_accuracy, cost)
        for name, snapshot in studies.items()
    }
    values = [value for front in fronts.values() for t in front if (value := t.cost(cost))]
    if not values:
        return pd.DataFrame()
    rows = []
    for budget in budgets(min(values), max(values)):
        row = {"At most": cost.shortly(budget)}
        for name, front in fronts.items():
            inside = [t for t in front if (t.cost(cost) or np.inf) <= budget]
            row[name] = _written(studies[name], inside[-1] if inside else None)
        rows.append(row)
    return pd.DataFrame(rows)


def _written(snapshot: Snapshot, trial: TrialRecord | None) -> str:
    if trial is None:
        return MISSING
    return with_arm(trial.accuracy, snapshot.noise.half_width(trial))


def _fresh(confirmed: Confirmed | None) -> str:
    best = None if confirmed is None else best_confirmed(confirmed)
    if best is None:
        return MISSING
    return f"{with_arm(best.interval.value, longer_arm(best.interval))} ({best.split})"


def _other_task(study: StudyRecord, first: StudyRecord) -> str | None:
    data, other = study.spec.get("dataset"), first.spec.get("dataset")
    if data != other:
        return f"its data set is {data}, not {other}"
    if study.num_classes != first.num_classes:
        return f"it has {study.num_classes} classes, not {first.num_classes}"
    return None


def _flat(spec: Mapping[str, Any], path: str = "") -> dict[str, str]:
    """Nested entries by the way to them; lists in one line."""
    found: dict[str, str] = {}
    for name, value in spec.items():
        if not path and name in _NOTES:
            continue
        if isinstance(value, Mapping):
            found |= _flat(value, f"{path}{name}.")
        elif isinstance(value, list | tuple):
            found[path + name] = ", ".join(str(one) for one in value)
        else:
            found[path + name] = MISSING if value is None else str(value)
    return found
