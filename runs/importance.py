"""Which hyperparameters matter for accuracy: on the whole, and at equal cost.

Almost every hyperparameter makes a network larger, and larger networks are more accurate: on the
whole all of them matter, by what they cost. What a designer wants to know is what to spend a budget
on: there accuracy is replaced by its residual over the trend with the cost (`runs.cost_trend`).

A random forest (Breiman, Mach. Learn. 45, 2001) predicts either from the hyperparameters. The
importance of one is by how much the mean squared error of trials that the forest has not seen rises
when their values of it are exchanged at random, as a share of the variance of what is predicted:
0 for a parameter that tells nothing, 1 for one that tells all, 2 at most. Interactions count for
each parameter in them, so the shares need not add up to 1.

Which trials are unseen is drawn again and again, in repeated cross-validation. The interval is
that of Nadeau and Bengio (Mach. Learn. 52, 2003) for such a mean: the folds share most of their
training trials, so what is between them says too little, and the variance of their mean is
s^2 (1/folds + unseen/seen). Trend and forest are fitted anew without the unseen trials.

fANOVA and PED-ANOVA, which Optuna has, answer the first question only, without intervals; fANOVA is
what the forest itself varies by, noise that it learnt included.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import t

from runs.confirmation.intervals import Interval
from runs.cost_trend import cost_trend
from runs.parameters import FamilyTrials
from runs.points import Floats

FEWEST = 20
"""Configurations: of fewer nothing is said. Chance would speak from folds of four and a cubic."""
MOST = 1_000
"""Configurations that are looked at, drawn at random where there are more: it takes seconds."""

_FOLDS = 5
_REPEATS = 3
_EXCHANGES = 5
_TREES = 30
_LEAF = 2
"""Trials in a leaf at least: single ones would be remembered with their noise."""

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, kw_only=True)
class Importances:
    """Of each parameter for one target, with 95 % intervals."""

    of: tuple[Interval, ...]
    """In the order of the parameters; shares of the target's variance."""
    explained: Interval
    """The share of the variance of unseen trials that the forest predicts; at most 0 where the
    parameters tell nothing, or there are too few trials to see it."""


@dataclass(frozen=True, kw_only=True)
class Importance:
    """Which hyperparameters of a family matter, as far as a study tells."""

    labels: tuple[str, ...]
    """Of the parameters that vary."""
    plain: Importances
    """For accuracy as it is."""
    at_equal_cost: Importances
    """For accuracy less its trend with the study's cost."""
    num_configurations: int
    """That it was computed from."""


def importance(found: FamilyTrials, *, seed: int = 0) -> Importance | None:
    """Which parameters matter; None of fewer than `FEWEST` configurations, or where none varies.

    The same trials and seed give the same numbers.
    """
    if len(found.trials) < FEWEST or not found.parameters:
        return None
    draw = np.random.default_rng(seed)
    kept = np.arange(len(found.trials))
    if len(kept) > MOST:
        kept = np.sort(draw.choice(kept, MOST, replace=False))
    x = np.stack([p.codes(found.trials)[kept] for p in found.parameters], axis=1)  # trials, params
    costs, accuracy = found.costs[kept], found.accuracy[kept]
    plain: list[Floats] = []
    residual: list[Floats] = []
    for seen, unseen in _folds(len(kept), draw):
        trend = cost_trend(costs[seen], accuracy[seen])
        left = accuracy - trend(np.log10(costs))
        for target, losses in ((accuracy, plain), (left, residual)):
            losses.append(_losses(x, target, seen, unseen, draw))
    return Importance(
        labels=tuple(p.label for p in found.parameters),
        plain=_summary(plain),
        at_equal_cost=_summary(residual),
        num_configurations=len(kept),
    )


def _folds(number: int, draw: np.random.Generator) -> Iterator[tuple[Indices, Indices]]:
    """Which trials are seen and which are not, each trial once a repeat unseen."""
    for _ in range(_REPEATS):
        order = draw.permutation(number)
        for unseen in np.array_split(order, _FOLDS):
            yield np.setdiff1d(order, unseen), unseen


def _losses(
    x: Floats, target: Floats, seen: Indices, unseen: Indices, draw: np.random.Generator
) -> Floats:
    """Of the unseen trials: the variance, the squared error, and that with each parameter
    exchanged; (2 + parameters,)."""
    from sklearn import config_context
    from sklearn.ensemble import RandomForestRegressor  # takes a second to import

    rows = x[unseen]
    tables = [rows]
    for column in range(x.shape[1]):
        for _ in range(_EXCHANGES):
            exchanged = rows.copy()
            exchanged[:, column] = draw.permutation(rows[:, column])
            tables.append(exchanged)
    state = int(draw.integers(2**31))
    forest = RandomForestRegressor(_TREES, min_samples_leaf=_LEAF, random_state=state)
    with config_context(skip_parameter_validation=True, assume_finite=True):  # twice as quick
        forest.fit(x[seen], target[seen])
        predicted = forest.predict(np.concatenate(tables)).reshape(len(tables), -1)
    errors = ((predicted - target[unseen]) ** 2).mean(axis=1)
    exchanged_errors = errors[1:].reshape(-1, _EXCHANGES).mean(axis=1)  # parameters
    variance = ((target[unseen] - target[seen].mean()) ** 2).mean()
    return np.array([variance, errors[0], *exchanged_errors])


def _summary(folds: list[Floats]) -> Importances:
    losses = np.array(folds)  # folds, 2 + parameters
    variance = losses[:, 0]
    gains = losses[:, 2:] - losses[:, 1:2]
    return Importances(
        of=tuple(_share(gain, variance) for gain in gains.T),
        explained=_share(variance - losses[:, 1], variance),
    )


def _share(parts: Floats, wholes: Floats, level: float = 0.95) -> Interval:
    """Of a sum over the folds of repeated cross-validation as a share of another.

    Both are larger where the unseen trials scatter more; what they share is no doubt about the
    ratio, so its variance is that of `part - ratio whole` (Cochran, Sampling Techniques, ch. 6).
    """
    whole = float(wholes.mean()) or 1.0  # where all accuracies are equal nothing explains them
    share, number = float(parts.mean()) / whole, len(parts)
    around = (parts - share * wholes) / whole
    spread = float(around.var(ddof=1)) * (1 / number + 1 / (_FOLDS - 1))
    half = float(t.ppf((1 + level) / 2, number - 1)) * math.sqrt(spread)
    return Interval(value=share, low=share - half, high=share + half)
