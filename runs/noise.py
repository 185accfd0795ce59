"""What the accuracies of a search may be off by, as far as the search itself can tell.

An accuracy is counted on images, and n other images would have given another one: Wilson's
interval of a share (J. Am. Stat. Assoc. 22, 1927; recommended by Brown, Cai & DasGupta, Stat. Sci.
16(2), 2001). That is all one training tells, so it is labelled `images only`. Another seed would
have given another accuracy too: where configurations were trained with several seeds the scatter
between these is added, by squares (Newcombe, Stat. Med. 17, 1998, method 10), on the side of
caution, since the images' part holds some of it already.

A difference is taken as if its two networks had seen different images. They saw the same, and tend
to fail on the same: its interval is wider than it need be. `runs.confirmation` compares image by
image.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
from scipy.stats import t

from runs.confirmation.image_results import Floats
from runs.confirmation.intervals import Interval
from runs.confirmation.seed_variance import fit_variances
from runs.record import State, StudyRecord, TrialRecord
from runs.seeds import by_configuration
from space.config import Config
from space.costs import Cost
from space.quantities import counted

LEVEL = 0.95

_REPEATING = {"search", "baseline", "confirmation"}
"""Origins of trials that train a configuration as the study does."""
_MOST_IMAGES = 200_000
"""Accuracies are looked upon as shares of at most so many images."""
_FEWEST_ACCURACIES = 6
"""Different ones from which on the number of images is read off them."""
_ROUNDING = 1.5e-7
"""By which an accuracy is off, a division in 32 bits."""


@dataclass(frozen=True, kw_only=True)
class SeedScatter:
    """Of one training's accuracy, between seeds."""

    variance: float
    degrees_of_freedom: float

    @property
    def deviation(self) -> float:
        """The standard deviation, of an accuracy in [0, 1]."""
        return math.sqrt(self.variance)


@dataclass(frozen=True, kw_only=True)
class Noise:
    """How far the accuracies of a study can be trusted; `noise_of` makes one."""

    num_images: int | None
    """Validation images; None where that is not known, and no interval is."""
    pooled: SeedScatter | None = None
    """Over all configurations with several seeds; None where there are none."""
    num_repeated: int = 0
    """How many configurations that are."""
    of_config: Mapping[Config, SeedScatter] = field(default_factory=dict)
    """Of the configurations with several seeds, each its own."""
    num_seeds: Mapping[int, int] = field(default_factory=dict)
    """How many seeds a mean is of, by the number under which it stands: see `over_seeds`."""

    @property
    def covers(self) -> str:
        """What the intervals speak of."""
        return "images and seeds" if self.pooled else "images only"

    def of_training(self, accuracy: float | None, level: float = LEVEL) -> Interval | None:
        """Of the accuracy of one training, which is what it is: images only."""
        if accuracy is None or self.num_images is None:
            return None
        return of_images(accuracy, self.num_images, level)

    def interval(self, trial: TrialRecord, level: float = LEVEL) -> Interval | None:
        """Of a configuration's accuracy: a trial's, or the mean that `over_seeds` gives."""
        found = self.of_training(trial.accuracy, level)
        if found is None:
            return None
        seeds = self._seed_half(trial, level)
        return Interval(
            value=found.value,
            low=max(0.0, found.value - math.hypot(found.value - found.low, seeds)),
            high=min(1.0, found.value + math.hypot(found.high - found.value, seeds)),
        )

    def half_width(self, trial: TrialRecord) -> float | None:
        """The longer arm of the interval: what stands after `±`."""
        return longer_arm(self.interval(trial))

    def difference(
        self, one: TrialRecord, other: TrialRecord, level: float = LEVEL
    ) -> Interval | None:
        """Of the accuracy of one configuration less that of the other."""
        a, b = self.interval(one, level), self.interval(other, level)
        if a is None or b is None:
            return None
        return less(a, b)

    def seeds_behind(self, trial: TrialRecord) -> int:
        """How many seeds a configuration's accuracy is the mean of."""
        return self.num_seeds.get(trial.number, 1)

    def _seed_half(self, trial: TrialRecord, level: float) -> float:
        scatter = self.of_config.get(trial.config, self.pooled)
        if scatter is None:
            return 0.0
        quantile = float(t.ppf((1 + level) / 2, scatter.degrees_of_freedom))
        return quantile * scatter.deviation / math.sqrt(self.seeds_behind(trial))


def less(one: Interval, other: Interval) -> Interval:
    """Of the difference of two independent values (Newcombe 1998, method 10)."""
    value = one.value - other.value
    return Interval(
        value=value,
        low=value - math.hypot(one.value - one.low, other.high - other.value),
        high=value + math.hypot(one.high - one.value, other.value - other.low),
    )


def noise_of(study: StudyRecord, trials: Sequence[TrialRecord]) -> Noise:
    """What a study's accuracies may be off by, given all its trials.

    The variance between seeds is one for each configuration that was repeated, drawn towards a line
    over all of them where there are three (`runs.confirmation.seed_variance`: weak networks scatter
    more), and the pooled one for all others.
    """
    num_images = num_validation(study, trials)
    repeating = [trial for trial in trials if trial.origin.value in _REPEATING]
    groups = [
        seeds
        for seeds in by_configuration(repeating).values()
        if len(seeds) > 1 and all(s.state is State.COMPLETE for s in seeds)
    ]
    if not groups:
        return Noise(num_images=num_images)
    accuracies = [np.array([s.accuracy for s in seeds], np.float64) for seeds in groups]
    count = np.array([len(each) for each in accuracies])
    rounding = 1 / (12 * num_images**2) if num_images else 1e-12
    own = np.array([each.var(ddof=1) for each in accuracies]) + rounding
    fitted = fit_variances(own, count, np.array([each.mean() for each in accuracies]))
    freedom = count - 1
    return Noise(
        num_images=num_images,
        pooled=SeedScatter(
            variance=float(np.average(own, weights=freedom)),
            degrees_of_freedom=float(freedom.sum()),
        ),
        num_repeated=len({seeds[0].config for seeds in groups}),
        of_config={
            seeds[0].config: SeedScatter(variance=float(v), degrees_of_freedom=float(d))
            for seeds, v, d in zip(groups, fitted.variance, fitted.degrees_of_freedom, strict=True)
        },
        num_seeds={seeds[0].number: len(seeds) for seeds in groups},
    )


def num_validation(study: StudyRecord, trials: Sequence[TrialRecord]) -> int | None:
    """How many images accuracies are counted on.

    Studies note it. Of one that an older version ran it is the least number of which all accuracies
    are whole shares: the truth, or a divisor of it, which makes intervals too wide. None where too
    few accuracies are known to tell.
    """
    noted = study.spec.get("num_validation")
    if noted is not None:
        return int(noted)
    distinct = sorted({t.accuracy for t in trials if t.accuracy is not None})
    if len(distinct) < _FEWEST_ACCURACIES:
        return None
    candidates = np.arange(1, _MOST_IMAGES + 1, dtype=np.float64)
    for accuracy in distinct:
        right = accuracy * candidates
        candidates = candidates[np.abs(right - np.round(right)) <= _ROUNDING * candidates]
    return int(candidates[0]) if len(candidates) else None


def wilson(accuracy: Floats, num_images: int, level: float = LEVEL) -> tuple[Floats, Floats]:
    """The ends of Wilson's interval of each accuracy, shares of so many images."""
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    middle = (accuracy + z2 / (2 * num_images)) / (1 + z2 / num_images)
    spread = accuracy * (1 - accuracy) / num_images + z2 / (4 * num_images**2)
    half = np.sqrt(z2 * spread) / (1 + z2 / num_images)
    return np.clip(middle - half, 0.0, accuracy), np.clip(middle + half, accuracy, 1.0)


def of_images(accuracy: float, num_images: int, level: float = LEVEL) -> Interval:
    """Of an accuracy that was counted on so many images: images only."""
    low, high = wilson(np.array([accuracy]), num_images, level)
    return Interval(value=accuracy, low=float(low[0]), high=float(high[0]))


def longer_arm(interval: Interval | None) -> float | None:
    """Of an interval that reaches farther to one side: what is said to both."""
    if interval is None:
        return None
    return max(interval.value - interval.low, interval.high - interval.value)


def undecided(
    front: Sequence[TrialRecord], found: Sequence[TrialRecord], noise: Noise, cost: Cost
) -> list[TrialRecord] | None:
    """The members of a front that could change places with others.

    Costs are exact, so a configuration is on the front if it is more accurate than all others of
    at most its cost. It is undecided where its interval does not lie above the most accurate of
    these. None where no interval is known.

    Args:
        front: members, records as `over_seeds` gives them.
        found: all they were chosen among, the members too.
        noise: of their study.
        cost: what the study minimises.
    """
    if noise.num_images is None:
        return None
    known = [(t, c) for t in found if t.accuracy is not None and (c := t.cost(cost)) is not None]
    numbers = np.array([t.number for t, _ in known])
    costs = np.array([c for _, c in known], np.float64)
    accuracies = np.array([t.accuracy for t, _ in known], np.float64)
    unsure = []
    for member in front:
        rivals = accuracies[(costs <= (member.cost(cost) or 0.0)) & (numbers != member.number)]
        interval = noise.interval(member)
        if interval and rivals.size and interval.low <= rivals.max():
            unsure.append(member)
    return unsure


def places_sentence(num_members: int, num_undecided: int, noise: Noise) -> str:
    """How many members of a front could change places, and what the intervals speak of."""
    of = f"of the {noise.num_images:,} validation images only, until seeds are repeated"
    if noise.pooled is not None:
        of = (
            f"of the {noise.num_images:,} validation images and of the seeds, which scatter by "
            f"{100 * noise.pooled.deviation:.1f} points "
            f"(pooled over {counted(noise.num_repeated, 'configuration')})"
        )
    return (
        f"{num_undecided} of {counted(num_members, 'member')} of the front could change places; "
        f"± is a 95 % interval, {of}"
    )
