"""What a search can be replayed on: networks, how each learns, and what each is worth in the end.

Accuracies are shares of 1. What a network is worth is its accuracy after the last epoch without
the noise of a single training, as far as the table knows it; a search sees one training alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from runs import pareto
from runs.pareto import Reference
from search.spec.studies import StudySpec
from space.config import Config, ImageTask
from space.cost import cost

Floor = Literal["median", "guessing"]
"""From which accuracy hypervolume counts: that of half of the table's networks, or of guessing."""

FLOORS: tuple[Floor, ...] = ("median", "guessing")


@dataclass(frozen=True)
class Training:
    """One training of a network."""

    accuracies: tuple[float, ...]
    """On the validation split, by epoch."""
    losses: tuple[float, ...]
    seconds: tuple[float, ...]
    """Up to each epoch."""
    compile_seconds: float


class Table(ABC):
    """Networks of one space under a ceiling, all of them.

    A search proposes from a space, not from a list, so what it may propose must be here.
    """

    name: str
    spec: StudySpec
    task: ImageTask
    images_per_epoch: int
    flops_ceiling: int
    failed: Collection[Config] = frozenset()
    """Never trained to the end; they fail in a replay too, at no cost."""

    @property
    @abstractmethod
    def members(self) -> Sequence[Config]:
        """Every network under the ceiling that trains to the end."""

    @abstractmethod
    def training(self, config: Config, seed: int) -> Training:
        """The training of a network that a study of that seed sees."""

    @abstractmethod
    def worth(self, config: Config) -> float:
        """Accuracy after the last epoch without the noise of one training."""

    @cached_property
    def flops(self) -> dict[Config, int]:
        """Of every member: one image, forward."""
        return {config: cost(config).flops for config in self.members}

    @cached_property
    def median_accuracy(self) -> float:
        """Half of the members are worth more."""
        return float(np.median([self.worth(config) for config in self.members]))

    def reference(self, floor: Floor) -> Reference:
        """Where hypervolumes are measured to."""
        guessing = 1 / self.task.num_classes
        accuracy = {"median": self.median_accuracy, "guessing": guessing}[floor]
        return Reference(accuracy=accuracy, cost=float(self.flops_ceiling))

    def hypervolume(self, configs: Sequence[Config], floor: Floor = "guessing") -> float:
        """Of some members by what they are worth, in accuracy x decades of FLOPs."""
        flops = [float(self.flops[config]) for config in configs]
        return pareto.hypervolume(flops, [self.worth(c) for c in configs], self.reference(floor))

    @cached_property
    def whole_hypervolume(self) -> dict[Floor, float]:
        """Of all members."""
        return {floor: self.hypervolume(self.members, floor) for floor in FLOORS}

    def front(self) -> set[Config]:
        """The members that no other dominates."""
        flops = [float(self.flops[config]) for config in self.members]
        on_front = pareto.front(flops, [self.worth(c) for c in self.members])
        return {self.members[i] for i in on_front}
