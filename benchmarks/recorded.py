"""A table of recorded learning curves as a search is replayed on it.

A table is replayed only if it is whole: samplers propose from a space, not from a list, and what
would become of a proposal the table does not hold would be of our making, not the sampler's.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from learning_curves import PARAMETERS, LearningCurves, TableError
from table import Table, Training

from search.spec.studies import StudySpec
from search.study.plan import plan
from space.config import Config, ImageTask, MixerConfig
from space.cost import cost


@dataclass(frozen=True, eq=False)
class Recorded(Table):
    """A table by configuration: all that its study's space has under the ceiling.

    Raises:
        TableError: a configuration has neither been trained nor failed.
    """

    spec: StudySpec
    task: ImageTask
    images_per_epoch: int
    flops_ceiling: int
    trainings: dict[Config, list[Training]]
    failed: frozenset[Config] = frozenset()

    def __post_init__(self) -> None:
        all_ = [
            config
            for space in plan(self.spec, self.task).affordable.values()
            for config in space.members(self.task)
            if cost(config).flops <= self.flops_ceiling
        ]
        held = sum(config in self.trainings or config in self.failed for config in all_)
        if held < len(all_):
            raise TableError(
                f"a table with {held:,} of the {len(all_):,} configurations of {self.spec.name} "
                f"under its ceiling of {self.flops_ceiling:,} FLOPs cannot be replayed, since a "
                "search may propose any of them; make_table.py trains them all: narrow the ranges "
                "in a study file if they are too many"
            )

    @property
    def name(self) -> str:
        """That of its study."""
        return self.spec.name

    @property
    def members(self) -> Sequence[Config]:
        """Every network that was trained to the end."""
        return self._members

    @cached_property
    def _members(self) -> list[Config]:
        return list(self.trainings)

    def training(self, config: Config, seed: int) -> Training:
        """One of the recorded ones, by lot: the same for a study's seed every time."""
        lot = random.Random(f"{seed}/{config.model_dump_json()}")
        return lot.choice(self.trainings[config])

    def worth(self, config: Config) -> float:
        """The mean of all seeds after the last epoch."""
        return self._worth[config]

    @cached_property
    def _worth(self) -> dict[Config, float]:
        return {
            config: float(np.mean([t.accuracies[-1] for t in trainings]))
            for config, trainings in self.trainings.items()
        }


def recorded(curves: LearningCurves) -> Recorded:
    """The table as the simulator wants it.

    Raises:
        TableError: it is not all of its study's space.
    """
    task = ImageTask.model_validate(curves.about["task"])
    trainings: dict[Config, list[Training]] = defaultdict(list)
    for key, rows in curves.rows.groupby([*PARAMETERS, "seed"]):
        values = dict(zip(PARAMETERS, map(int, key), strict=False))
        trainings[_config(task, values)].append(
            Training(
                tuple(rows["validation_accuracy"].astype(float)),
                tuple(rows["validation_loss"].astype(float)),
                tuple(rows["seconds"].astype(float)),
                float(rows["compile_seconds"].iloc[0]),
            )
        )
    # A table from before there was a choice is of the random split.
    spec = StudySpec.model_validate_json(json.dumps({"split": "random"} | curves.about["study"]))
    return Recorded(
        spec=spec,
        task=task,
        images_per_epoch=curves.about["images_per_epoch"],
        flops_ceiling=curves.about["flops_ceiling"],
        trainings=dict(trainings),
        failed=frozenset(_config(task, values) for values in curves.about.get("failed", [])),
    )


def _config(task: ImageTask, values: dict[str, int]) -> MixerConfig:
    return MixerConfig.model_validate(task.model_dump() | values)
