"""Which configurations of a search a confirmation trains again, by all that the search saw.

What a configuration would reach is what the sampler's model makes of all trials: a lucky one is
drawn towards its neighbours, one that was stopped early is extrapolated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from runs import winners
from runs.confirmation.membership import candidates
from runs.record import Origin, State, StudyRecord, TrialRecord
from runs.seeds import by_configuration, mean_curve, over_seeds
from search.schedule.accuracy_model import AccuracyModel
from search.schedule.observations import observations
from search.schedule.probit import probit
from search.spec.confirmation import MOST_A_FAMILY
from space.errors import MixerSearchError

_FEWEST_TO_LEARN_FROM = 4


class NothingToConfirmError(MixerSearchError):
    """The search has not found anything that could be trained again."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The candidates of a confirmation."""

    trials: tuple[TrialRecord, ...]
    """Baselines, then of every family the most probable members of its front."""
    probability: dict[int, float]
    """By number, of being on the front of its family; none of a baseline."""
    left_out: tuple[TrialRecord, ...]
    """Those that may be on a front too, the most probable first."""


def choose_candidates(
    study: StudyRecord,
    trials: Sequence[TrialRecord],
    curves: Mapping[int, Sequence[float]],
    most: int = MOST_A_FAMILY,
) -> Chosen:
    """The configurations most likely to be on the front, and every baseline that is complete.

    Those that the study's `min_accuracy` calls useless are none.

    Args:
        study: whose search it was.
        trials: all of it.
        curves: validation accuracies by epoch, by number.
        most: of a searched family.

    Raises:
        NothingToConfirmError: no trial of the search is complete.
    """
    known: list[TrialRecord] = []
    means: list[float] = []
    deviations: list[float] = []
    for family in study.families:
        seen = _seen(trials, family)
        if any(t.state is State.COMPLETE for t in seen):
            for trial, mean, deviation in zip(
                seen, *_posterior(study, trials, seen, curves), strict=True
            ):
                if trial.state is State.PRUNED or (trial.accuracy or 0.0) >= study.min_accuracy:
                    known.append(trial)
                    means.append(mean)
                    deviations.append(deviation)
    if not known:
        raise NothingToConfirmError(_nothing(study))
    found = candidates(
        np.array(means),
        np.array(deviations),
        [t.cost(study.cost) or 0.0 for t in known],
        [t.family for t in known],
        np.random.default_rng(0),
        limit=most,
    )
    given = over_seeds([t for t in trials if t.origin is Origin.BASELINE])
    return Chosen(
        trials=(*given, *(known[i] for i in found.chosen)),
        probability={known[i].number: float(found.probability[i]) for i in found.chosen},
        left_out=tuple(known[i] for i in found.left_out),
    )


def choose_repeated(study: StudyRecord, trials: Sequence[TrialRecord]) -> Chosen:
    """Two configurations of the search's front, its most accurate and one halfway.

    Raises:
        NothingToConfirmError: no trial of the search is complete.
    """
    front = winners.front(winners.candidates(trials), study.min_accuracy, study.cost)
    if not front:
        raise NothingToConfirmError(_nothing(study))
    chosen = dict.fromkeys((front[-1].number, front[len(front) // 2].number))
    return Chosen(trials=tuple(t for t in front if t.number in chosen), probability={}, left_out=())


def _nothing(study: StudyRecord) -> str:
    return (
        f"study {study.name!r} has no complete trial of its search; there is nothing to train "
        "again: let it run first"
    )


def _seen(trials: Sequence[TrialRecord], family: str) -> list[TrialRecord]:
    """One trial a configuration of a family that was searched, complete or stopped early."""
    mine = [t for t in trials if t.family == family and t.origin is Origin.SEARCH]
    complete = over_seeds(mine)
    ended = {t.config for t in complete}
    stopped = [
        group[0]
        for (config, _), group in by_configuration(mine).items()
        if config not in ended and all(t.state is State.PRUNED for t in group)
    ]
    return sorted([*complete, *stopped], key=lambda t: t.number)


def _posterior(
    study: StudyRecord,
    trials: Sequence[TrialRecord],
    seen: Sequence[TrialRecord],
    curves: Mapping[int, Sequence[float]],
) -> tuple[list[float], list[float]]:
    """Mean and deviation of the probit of each accuracy."""
    complete = [t.state is State.COMPLETE for t in seen]
    last = probit(np.array([t.accuracy or 0.0 for t in seen]))
    if len(seen) < _FEWEST_TO_LEARN_FROM:
        return last.tolist(), np.where(complete, 0.1, 1.0).tolist()
    groups = by_configuration(trials)
    means = [
        mean_curve([curves.get(t.number, ()) for t in groups[one.config, one.origin]])
        for one in seen
    ]
    found = observations(
        np.where(complete, last, np.nan),
        [curve or [t.accuracy or 0.0] for curve, t in zip(means, seen, strict=True)],
        kept=range(len(seen)),  # once a confirmation there is time for all
    )
    features = _features(study, seen)
    model = AccuracyModel(features[found.rows], found.values, found.to_come, found.rows)
    mean, deviation = model.predict(features)
    return mean.tolist(), deviation.tolist()


def _features(study: StudyRecord, trials: Sequence[TrialRecord]) -> np.ndarray:
    """(trials, features) the log of the cost and of every number of the configurations that
    varies, each from 0 to 1."""
    rows = [
        {
            name: float(value)
            for name, value in t.config.model_dump().items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }
        | {"": t.cost(study.cost) or 0.0}
        for t in trials
    ]
    names = [name for name in rows[0] if len({row[name] for row in rows}) > 1]
    if not names:
        return np.zeros((len(rows), 1))
    values = np.log([[max(row[name], 1e-9) for name in names] for row in rows])
    low, high = values.min(axis=0), values.max(axis=0)
    return np.asarray((values - low) / (high - low))
