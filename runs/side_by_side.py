"""A few trials beside each other: which, what they share, and in what they differ."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from runs import pareto
from runs.noise import longer_arm
from runs.record import TrialRecord
from runs.shown import configuration
from runs.snapshot import Snapshot
from runs.winners import objectives
from runs.wording import state_word, with_arm
from space.config import ImageTask
from space.errors import MixerSearchError, listed
from space.quantities import format_count, format_seconds

MOST = 6
"""As many as can be told apart in one figure."""

_ASKED = set(ImageTask.model_fields)
"""What the images ask for: the same in all trials of a study."""


class TrialChoiceError(MixerSearchError):
    """The trials that were named cannot be put side by side."""


def trials_named(snapshot: Snapshot, text: str) -> list[TrialRecord]:
    """The trials of a list of numbers such as `3, 17, 20`, in that order, each once.

    Raises:
        TrialChoiceError: there is something else in it, a number the study does not have, or more
            than `MOST` of them.
    """
    words = [word for word in re.split(r"[\s,;]+", text) if word]
    if wrong := [word for word in words if not re.fullmatch(r"\d{1,9}", word, re.ASCII)]:
        raise TrialChoiceError(
            f"{wrong[0][:40]!r} is no trial's number; write numbers with commas between, such as "
            "3, 17, 20"
        )
    numbers = list(dict.fromkeys(int(word) for word in words))
    known = {trial.number: trial for trial in snapshot.trials}
    if missing := [str(number) for number in numbers if number not in known]:
        there = f"0 to {snapshot.trials[-1].number}" if known else "not there yet"
        raise TrialChoiceError(
            f"study {snapshot.study.name!r} has no trial {listed(missing, 5)}; its trials are "
            f"{there}"
        )
    if len(numbers) > MOST:
        raise TrialChoiceError(
            f"{len(numbers)} trials are named, and at most {MOST} can be told apart in a figure; "
            "name fewer"
        )
    return [known[number] for number in numbers]


def suggested(snapshot: Snapshot) -> list[TrialRecord]:
    """What to look at where no trial was named: of the front its cheapest, its knee and its most
    accurate; without a front the last trials."""
    front = snapshot.front
    if not front:
        return snapshot.trials[-2:]
    knee = pareto.knee(*objectives(front, snapshot.study.cost))
    places = {0, len(front) - 1} | (set() if knee is None else {knee})
    return [snapshot.seeds_of(front[place])[0] for place in sorted(places)]


def side_by_side(snapshot: Snapshot, trials: Sequence[TrialRecord]) -> pd.DataFrame:
    """One row a fact as it is read, what differs first.

    Columns: Field; Differs (bool); and `Trial 17` for each trial, with a dash where its family has
    no such field.
    """
    facts = [
        _outcome(snapshot, trial)
        | {name: text for name, text in configuration(trial).items() if name not in _ASKED}
        for trial in trials
    ]
    rows = []
    for name in dict.fromkeys(name for one in facts for name in one):
        values = [one.get(name, "–") for one in facts]
        rows.append([name, len(set(values)) > 1, *values])
    rows.sort(key=lambda row: not row[1])
    columns = ["Field", "Differs", *(f"Trial {trial.number}" for trial in trials)]
    return pd.DataFrame(rows, columns=columns)


def in_common(trials: Sequence[TrialRecord]) -> dict[str, str]:
    """The fields of the configurations, `family` among them, in which all agree."""
    first, *rest = [trial.config.model_dump(exclude=_ASKED) for trial in trials]
    return {
        name: str(value)
        for name, value in first.items()
        if all(name in one and one[name] == value for one in rest)
    }


def _outcome(snapshot: Snapshot, trial: TrialRecord) -> dict[str, str]:
    arm = longer_arm(snapshot.noise.of_training(trial.accuracy))
    facts = {
        "validation accuracy": with_arm(trial.accuracy, arm),
        "FLOPs": format_count(trial.flops),
        "parameters": format_count(trial.params),
        "state": state_word(trial.state, is_run=snapshot.is_run),
        "origin": trial.origin.value,
    }
    if trial.timing is not None:
        facts["training"] = format_seconds(trial.timing.train_seconds)
    return facts
