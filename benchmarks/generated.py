"""Spaces whose learning curves are formulas: each hard for a search in a way that is known.

Networks and FLOPs are real, accuracies are not. With u the place of a network's log FLOPs between
the cheapest (0) and the most expensive (1) member of its space, z the place of each parameter among
its values (0 to 1) and g the accuracy of guessing, a network is worth

    g + (0.85 - g) * size(u) * exp(-sum of w (z - c)^2) * (1 + 0.03 * luck),

where `luck` is drawn once a network from a standard normal, cut off at 2. Its accuracy after epoch
e is

    g + (worth + noise * draw - g) * progress(e) + (noise / 2) * draw,

the draws being standard normals of the network, the study's seed and (the second, which the last
epoch has not) the epoch. `progress` goes from 0 to 1 in 12 epochs, `size` from about 0 to 1:

| space | hard because | size | progress | noise |
|---|---|---|---|---|
| `large` | only large networks learn anything | logistic((u - .82) / .04) | usual | .01 |
| `noisy` | one training says little | usual | usual | .02 |
| `many` | 51,840 members, seven parameters | usual | usual | .01 |
| `slow` | large networks learn more slowly | usual | e-folding in 1 + 9u epochs | .01 |
| `late` | a quarter catches up at the end | usual; a late bloomer has 1.08 of it | late | .01 |

Usual: size .35 + .65 (1 - exp(-3u)) / (1 - exp(-3)); progress 1 - exp(-e / 3), divided by its value
at the end. Late bloomers are narrow and deep (the lower half of widths, the upper of depths); of
what others have learnt after an epoch they have .55, and of the rest logistic((e - 9) / .7).

Settings are never chosen on these spaces.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from learning_curves import TableError
from table import Table, Training
from two_stage import TWO_STAGE

from search.spec.studies import StudySpec
from search.study.plan import plan
from space.config import Config, ImageTask
from space.families import FAMILIES

EPOCHS = 12
TASK = ImageTask(image_size=32, image_channels=3, num_classes=10)
TOP = 0.85
LUCK = 0.03
"""Standard deviation of what no parameter explains, as a share of what a network is worth."""

TRAINING_FLOPS_PER_SECOND = 2e10


@dataclass(frozen=True)
class Place:
    """Where a network lies in its space; each number from 0 to 1."""

    u: float
    """Log FLOPs."""
    z: Mapping[str, float]
    """Each parameter."""


def usual_size(place: Place) -> float:
    """Accuracy rises with size, less and less."""
    return 0.35 + 0.65 * (1 - math.exp(-3 * place.u)) / (1 - math.exp(-3))


def large_size(place: Place) -> float:
    """Next to nothing in the lower two thirds."""
    return _logistic((place.u - 0.82) / 0.04)


def blooms_late(place: Place) -> bool:
    """Whether it is narrow and deep."""
    return place.z["hidden_dim"] < 0.5 <= place.z["num_blocks"]


def late_size(place: Place) -> float:
    """The usual, and more for late bloomers."""
    return usual_size(place) * (1.08 if blooms_late(place) else 1.0)


def usual_progress(place: Place, epoch: int) -> float:
    """Most of it in the first epochs."""
    return _exponential(epoch, 3.0)


def slow_progress(place: Place, epoch: int) -> float:
    """The larger, the more slowly."""
    return _exponential(epoch, 1 + 9 * place.u)


def late_progress(place: Place, epoch: int) -> float:
    """That of late bloomers comes at the end."""
    usual = _exponential(epoch, 3.0)
    if not blooms_late(place):
        return usual
    risen = _logistic((epoch - 9) / 0.7) / _logistic((EPOCHS - 9) / 0.7)
    return 0.55 * usual + 0.45 * usual * risen


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def _exponential(epoch: int, scale: float) -> float:
    return (1 - math.exp(-epoch / scale)) / (1 - math.exp(-EPOCHS / scale))


@dataclass(frozen=True, eq=False, kw_only=True)
class Generated(Table):
    """A space with formulas for its learning curves: a pure function of network and seed."""

    name: str
    spec: StudySpec
    task: ImageTask = TASK
    images_per_epoch: int = 4_000
    best: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """By parameter, where it is best and what it costs to be elsewhere: c and w."""
    noise: float = 0.01
    size: Callable[[Place], float] = usual_size
    progress: Callable[[Place, int], float] = usual_progress

    @cached_property
    def flops_ceiling(self) -> int:  # type: ignore[override]
        """That of a study of the space."""
        return plan(self.spec, self.task).flops_ceiling

    @property
    def members(self) -> Sequence[Config]:
        """Every network under the ceiling."""
        return self._members

    @cached_property
    def _members(self) -> list[Config]:
        return list(self.flops)

    @cached_property
    def flops(self) -> dict[Config, int]:
        """Of every member: one image, forward."""
        found = {}
        for space in plan(self.spec, self.task).affordable.values():
            for values in space.values():
                flops = int(space.cost_of(self.task, values))
                if flops <= self.flops_ceiling:
                    named = dict(zip(space.ranges, values, strict=True))
                    found[space.member(self.task, **named)] = flops
        return found

    @cached_property
    def _extent(self) -> tuple[float, float]:
        return math.log(min(self.flops.values())), math.log(max(self.flops.values()))

    @cached_property
    def _ranges(self) -> dict[str, tuple[int, ...]]:
        (space,) = plan(self.spec, self.task).affordable.values()
        return dict(space.ranges)

    def place(self, config: Config) -> Place:
        """Where a member lies."""
        low, high = self._extent
        return Place(
            u=(math.log(self.flops[config]) - low) / (high - low),
            z={
                name: values.index(getattr(config, name)) / max(1, len(values) - 1)
                for name, values in self._ranges.items()
            },
        )

    def worth(self, config: Config) -> float:
        """By the formula."""
        if config not in self._worth:
            place = self.place(config)
            off = sum(w * (place.z[name] - c) ** 2 for name, (c, w) in self.best.items())
            draw = random.Random(f"{self.name}/{config.model_dump_json()}").gauss(0, 1)
            factor = 1 + LUCK * max(-2.0, min(2.0, draw))
            gain = (TOP - self._guessing) * self.size(place) * math.exp(-off) * factor
            self._worth[config] = self._guessing + gain
        return self._worth[config]

    @cached_property
    def _worth(self) -> dict[Config, float]:
        return {}

    @property
    def _guessing(self) -> float:
        return 1 / self.task.num_classes

    def training(self, config: Config, seed: int) -> Training:
        """The curve of a network that a study of that seed sees."""
        rng = random.Random(f"{self.name}/{seed}/{config.model_dump_json()}")
        place, guessing = self.place(config), self._guessing
        end = self.worth(config) + self.noise * rng.gauss(0, 1) - guessing
        accuracies = []
        for epoch in range(1, EPOCHS + 1):
            jitter = self.noise / 2 * rng.gauss(0, 1) if epoch < EPOCHS else 0.0
            accuracy = guessing + end * self.progress(place, epoch) + jitter
            accuracies.append(max(0.0, min(1.0, accuracy)))
        training = 3 * self.flops[config] * self.images_per_epoch
        seconds = 0.2 + training / TRAINING_FLOPS_PER_SECOND
        blocks = sum(v for name, v in config.model_dump().items() if name.endswith("blocks"))
        return Training(
            accuracies=tuple(accuracies),
            losses=tuple(-math.log(max(a, 1e-3)) for a in accuracies),
            seconds=tuple(seconds * epoch for epoch in range(1, EPOCHS + 1)),
            compile_seconds=1.5 + 0.4 * blocks,
        )


_MIXERS = {
    "patch_size": (4, 8),
    "hidden_dim": (16, 24, 32, 48, 64, 96, 128),
    "tokens_mlp_dim": (16, 32, 64, 128),
    "channels_mlp_dim": (32, 64, 128, 256, 512),
    "num_blocks": (1, 2, 3, 4, 6, 8),
}
_BEST = {
    "patch_size": (0.0, 0.15),
    "hidden_dim": (0.7, 0.25),
    "tokens_mlp_dim": (0.4, 0.15),
    "channels_mlp_dim": (0.6, 0.15),
    "num_blocks": (0.6, 0.25),
}
_TWO_STAGE_BEST = {
    "patch_size": (0.0, 0.10),
    "first_dim": (0.5, 0.15),
    "second_dim": (0.8, 0.20),
    "first_blocks": (0.3, 0.15),
    "second_blocks": (0.7, 0.15),
    "tokens_mlp_dim": (0.4, 0.10),
    "channels_ratio": (0.5, 0.15),
}


def _spec(name: str, **fields: object) -> StudySpec:
    """Of images that are never read."""
    fixed = {"name": name, "dataset": "cifar10", "baselines": 0, "recipe": {"epochs": EPOCHS}}
    return StudySpec.model_validate(fixed | fields)


def _mixers(name: str, **formulas: object) -> Generated:
    spec = _spec(name, space=_MIXERS, max_flops="60M")
    return Generated(name=name, spec=spec, best=_BEST, **formulas)  # type: ignore[arg-type]


def _two_stage(name: str) -> Generated:
    FAMILIES.setdefault(TWO_STAGE.name, TWO_STAGE)
    return Generated(name=name, spec=_spec(name, families=(TWO_STAGE.name,)), best=_TWO_STAGE_BEST)


SPACES: dict[str, Callable[[], Generated]] = {
    "large": lambda: _mixers("large", size=large_size),
    "noisy": lambda: _mixers("noisy", noise=0.02),
    "many": lambda: _two_stage("many"),
    "slow": lambda: _mixers("slow", progress=slow_progress),
    "late": lambda: _mixers("late", size=late_size, progress=late_progress),
}
"""By name, in the order of the table above."""


def generated(name: str) -> Generated:
    """The space of that name.

    Raises:
        TableError: there is none.
    """
    if name not in SPACES:
        raise TableError(f"generated space {name}: there is none; there are {', '.join(SPACES)}")
    return SPACES[name]()
