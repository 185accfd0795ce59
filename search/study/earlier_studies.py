"""The trials of earlier studies that a new one learns from: read once, and kept with it.

They are part of the study's record, so that it goes on with the same numbers when the earlier
studies have changed or are gone, on any machine.
"""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

from runs.reader import Reader, open_reader
from runs.record import State, StudyRecord
from runs.storage import StorageError, describe, parse_storage
from search.schedule.earlier_trials import EarlierTrials, earlier_trials
from search.schedule.warm_start import FEWEST
from search.spec.studies import StudySpec
from search.spec.warm_start import EarlierStudy, WarmStartError
from space.costs import find_cost
from space.families import find_family, labels
from space.quantities import counted


def take_earlier(spec: StudySpec, store: Reader) -> list[dict[str, Any]]:
    """What is kept of the earlier studies that a specification names, one after the other.

    Args:
        spec: of the new study.
        store: where it is to be.

    Raises:
        WarmStartError: one cannot be read, is the study itself, or has too few finished
            configurations of the families that are searched.
    """
    return [_taken(EarlierStudy.parse(text), spec, store) for text in spec.warm_start]


def earlier_of(study: StudyRecord) -> list[EarlierTrials]:
    """The trials that were taken when the study began."""
    return [
        EarlierTrials(
            family=trials["family"],
            image_size=trials["image_size"],
            parameters=tuple(trials["parameters"]),
            values=tuple(map(tuple, trials["values"])),
            costs=None if trials["costs"] is None else tuple(trials["costs"]),
            accuracies=tuple(trials["accuracies"]),
        )
        for earlier in study.spec.get("earlier", ())
        for trials in earlier["trials"]
    ]


def _taken(earlier: EarlierStudy, spec: StudySpec, store: Reader) -> dict[str, Any]:
    asked = f"warm start from {earlier}"
    try:
        is_here = earlier.storage is None or (
            describe(parse_storage(earlier.storage)) == store.where
        )
        if is_here and earlier.name == spec.name:
            raise WarmStartError(
                f"{asked}: that is the study itself; name an earlier one, or give this one "
                "another name with --study-name"
            )
        with nullcontext(store) if is_here else open_reader(earlier.storage) as reader:
            study, trials = reader.study(earlier.name), reader.trials(earlier.name)
    except StorageError as error:
        raise WarmStartError(f"{asked}: {error}") from error
    found = earlier_trials(trials, spec.families, find_cost(spec.cost))
    if not found:
        there = Counter(t.family for t in trials if t.in_search and t.state is State.COMPLETE)
        counts = [counted(n, f"finished {find_family(name).label}") for name, n in there.items()]
        raise WarmStartError(
            f"{asked}: it has {' and '.join(counts) or 'no finished trial'}, and {FEWEST} or more "
            f"finished {labels(spec.families)} are needed; let it go on, or name another study"
        )
    taken = [asdict(one) for one in found]
    return {
        "study": str(earlier),
        "dataset": study.spec.get("dataset"),
        "recipe": study.spec.get("recipe"),
        "trials": taken,
    }
