"""Which trial to take home, and the preset it becomes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from runs import pareto
from runs.record import Origin, State, StudyRecord, TrialRecord
from runs.seeds import behind, by_configuration, over_seeds
from space.costs import FLOPS, Cost
from space.errors import MixerSearchError, listed
from space.presets import Preset
from space.quantities import exact_count


class NoWinnerError(MixerSearchError):
    """No finished trial of the study answers the question."""


def candidates(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """One finished trial a configuration that the search itself proposed, the mean of its seeds.

    Baselines are for comparison.
    """
    return over_seeds([t for t in trials if t.origin is Origin.SEARCH])


def front(
    trials: Sequence[TrialRecord], min_accuracy: float = 0.0, cost: Cost = FLOPS
) -> list[TrialRecord]:
    """Those of the given finished trials that none of them dominates, cheapest first.

    The cost is a study's own, `StudyRecord.cost`; a trial without it is on no front. Less
    accurate ones than `min_accuracy` are left out: a study's own, `StudyRecord.min_accuracy`, for
    all that counts as found, and 0 for baselines.
    """
    known = [t for t in trials if t.accuracy is not None and t.cost(cost) is not None]
    on_front = [known[i] for i in pareto.front(*objectives(known, cost))]
    return [t for t in on_front if (t.accuracy or 0.0) >= min_accuracy]


def objectives(
    trials: Sequence[TrialRecord], cost: Cost = FLOPS
) -> tuple[list[float], list[float]]:
    """Costs and accuracies of finished trials, as `runs.pareto` takes them."""
    pairs = [
        (float(value), t.accuracy)
        for t in trials
        if t.accuracy is not None and (value := t.cost(cost)) is not None
    ]
    return [value for value, _ in pairs], [accuracy for _, accuracy in pairs]


def reference_of(study: StudyRecord) -> pareto.Reference:
    """The point the study's hypervolumes are measured to."""
    return pareto.Reference(accuracy=study.guess_accuracy, cost=study.cost_ceiling)


def trials_since_gain(study: StudyRecord, trials: Sequence[TrialRecord]) -> int:
    """How many configurations of the search have ended since one added to the hypervolume.

    All of them where none did. One that failed or was pruned has ended too, and adds nothing.
    """
    groups = by_configuration([t for t in trials if t.origin is Origin.SEARCH]).values()
    ended = [group for group in groups if all(t.finished_at for t in group)]
    ended.sort(key=lambda group: max(str(t.finished_at) for t in group))
    found = [(over_seeds(group) or group)[0] for group in ended]
    accuracies = [
        t.accuracy if t.state is State.COMPLETE and (t.accuracy or 0) >= study.min_accuracy else 0.0
        for t in found
    ]
    history = pareto.hypervolume_history(
        [t.cost(study.cost) or 0.0 for t in found],
        [a or 0.0 for a in accuracies],
        reference_of(study),
    )
    since = 0
    for before, after in pairwise([0.0, *history]):
        since = 0 if after > before else since + 1
    return since


def pick(
    trials: Sequence[TrialRecord],
    rule: str,
    *,
    max_flops: float | None = None,
    max_cost: float | None = None,
    min_accuracy: float = 0.0,
    cost: Cost = FLOPS,
) -> TrialRecord:
    """The trial a rule names.

    Args:
        trials: all trials of a study.
        rule: `best` (most accurate), `knee`, `cheapest`, or `trial=N`, which may be a baseline.
            Of several seeds of a configuration the first three look at the mean.
        max_flops: only trials of at most so many FLOPs are looked at.
        max_cost: the same of what the study minimises.
        min_accuracy: only trials of at least this accuracy are looked at.
        cost: what the study minimises: fronts are found in it.

    Raises:
        NoWinnerError: unknown rule, no finished trial, none inside the bounds, no trial N, or
            trial N outside them.
    """
    limits = [
        (limited, limit)
        for limited, limit in ((FLOPS, max_flops), (cost, max_cost))
        if limit is not None
    ]
    if rule.startswith("trial="):
        trial = _numbered(trials, rule.removeprefix("trial="))
        for limited, limit in limits:
            _check_limit(trial, limited, limit)
        _check_accuracy(trial, min_accuracy)
        return trial
    if rule not in {"best", "knee", "cheapest"}:
        raise NoWinnerError(
            f"--pick {rule!r} is no rule; use best, knee, cheapest or trial=N (N a number)"
        )
    finished = candidates(trials)
    if not finished:
        searched = [t for t in trials if t.origin is Origin.SEARCH]
        if any(t.state is State.COMPLETE for t in searched):
            raise NoWinnerError(
                "no configuration of the study is finished with all its seeds; run the search "
                "longer, or name a finished trial with --pick trial=N"
            )
        raise NoWinnerError(
            f"none of the study's {len(searched)} trials is finished, baselines not counted; "
            "run the search first, or longer, or name a baseline with --pick trial=N"
        )
    inside = finished
    for limited, limit in limits:
        inside = _within(inside, limited, limit)
    on_front = front(inside, min_accuracy, cost)
    if not on_front:
        best = max(t.accuracy or 0.0 for t in inside)
        raise NoWinnerError(
            f"no finished trial there reaches an accuracy of {min_accuracy}; "
            f"the best has {_reached(best)}: lower it to that or less with --min-accuracy"
        )
    if rule == "best":
        return next(t for t in on_front if t.cost(cost) == on_front[-1].cost(cost))
    if rule == "cheapest":
        return on_front[0]
    knee = pareto.knee(*objectives(on_front, cost))
    assert knee is not None, "a front of at least one trial has a knee"
    return on_front[knee]


def preset_of(
    study: StudyRecord, trial: TrialRecord, name: str, trials: Sequence[TrialRecord] = ()
) -> Preset:
    """The trial's configuration as a preset that says where it was found.

    Given all `trials` of the study, it says of which seeds and accuracies the trial's accuracy is
    the mean, if it is one.
    """
    environment = trial.environment
    seeds = behind(trials, trial)
    seed: dict[str, Any] = {"seed": trial.seed}
    if len(seeds) > 1:
        seed = {"seeds": [t.seed for t in seeds], "accuracies": [t.accuracy for t in seeds]}
    return Preset.of(
        name,
        trial.config,
        source={
            "study": study.name,
            "study_began": study.created_at.isoformat(),
            "trial": trial.number,
            **({} if trial.parent is None else {"parent": trial.parent}),
            "accuracy": trial.accuracy,
            "accuracy_split": "validation",
            "loss": trial.loss,
            "epochs": trial.epochs,
            **seed,
            "dataset": study.spec.get("dataset"),
            **({"data": study.spec["data"]} if "data" in study.spec else {}),
            "recipe": study.recipe_of(trial.family),
            **({"start_from": study.spec["start_from"]} if study.spec.get("start_from") else {}),
            "device_kind": environment and environment.device_kind,
            "versions": environment and environment.versions,
            "git_revision": environment and environment.git_revision,
        },
    )


def _numbered(trials: Sequence[TrialRecord], number: str) -> TrialRecord:
    for trial in trials:
        if str(trial.number) == number:
            if trial.state is not State.COMPLETE:
                raise NoWinnerError(
                    f"trial {number} is {trial.state.value}, not complete; pick a finished one"
                )
            return trial
    complete = [t for t in trials if t.state is State.COMPLETE and t.origin is Origin.SEARCH]
    finished = listed([str(t.number) for t in complete], 20) or "none"
    raise NoWinnerError(f"the study has no trial {number!r}; finished ones: {finished}")


def _within(trials: Sequence[TrialRecord], cost: Cost, limit: float) -> list[TrialRecord]:
    """Those of at most so much.

    Raises:
        NoWinnerError: there are none.
    """
    values = [(trial, trial.cost(cost)) for trial in trials]
    known = [(trial, value) for trial, value in values if value is not None]
    if not known:
        raise NoWinnerError(
            f"{cost.label} is known of no finished trial; install the package that defines it, or "
            f"leave {cost.option} out"
        )
    inside = [trial for trial, value in known if value <= limit]
    if not inside:
        cheapest = min(value for _, value in known)
        raise NoWinnerError(
            f"no finished trial has at most {cost.exactly(limit)}; "
            f"the cheapest has {cost.exactly(cheapest)}: raise {cost.option} to that or more"
        )
    return inside


def _check_limit(trial: TrialRecord, cost: Cost, limit: float) -> None:
    value = trial.cost(cost)
    if value is not None and value > limit:
        raise NoWinnerError(
            f"trial {trial.number} has {cost.exactly(value)}, more than {cost.option} "
            f"{exact_count(limit)}; raise that or leave it out"
        )


def _check_accuracy(trial: TrialRecord, min_accuracy: float) -> None:
    accuracy = trial.accuracy or 0.0
    if not accuracy >= min_accuracy:  # nor is anything at least NaN
        raise NoWinnerError(
            f"trial {trial.number} has an accuracy of {_reached(accuracy)}, less than "
            f"--min-accuracy {min_accuracy}; lower that or leave it out"
        )


def _reached(accuracy: float) -> str:
    """An accuracy in four figures, not rounded up to what nobody reaches."""
    return f"{math.floor(accuracy * 1e4) / 1e4:.4f}"
