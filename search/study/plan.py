"""What a specification means for images of one kind: arithmetic, before anything is trained."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from search.schedule.untried import Untried
from search.spec.recipe import steps_per_epoch
from search.spec.studies import StudyError, StudySpec
from space import presets
from space.config import Config, ImageTask
from space.costs import FLOPS, Cost, find_cost
from space.families import baseline_family
from space.ladder import ladder
from space.quantities import exact_count
from space.search_space import SearchSpace, fitted

_DRAWS = 200
"""Configurations of a family drawn at random to know what one costs."""

_ROOM = 10**0.01
"""The ceiling over the most expensive configuration, where no budget is below: the reference point
must lie beyond what is measured to it, or that configuration adds nothing however accurate it is.
As much as `search.schedule.sampler` has for its own reference point; 2 % of FLOPs are too few to
tell apart."""


@dataclass(frozen=True)
class Plan:
    """What a specification means for images of one kind."""

    spaces: dict[str, SearchSpace]
    """By family, as specified, what was left open fitted to the images."""
    affordable: dict[str, SearchSpace]
    """Without the values that nothing under the ceiling can have."""
    flops_ceiling: int
    """What a new study keeps: one that was begun goes on with its own."""
    cost: Cost
    """What the study minimises."""
    cost_ceiling: float
    """Of that, what a new study keeps; of FLOPs the same as `flops_ceiling`."""
    baselines: tuple[Config, ...]

    @property
    def num_configurations(self) -> int:
        """Of all families together, whatever they cost."""
        return sum(space.size for space in self.spaces.values())

    def num_affordable(self, task: ImageTask) -> int:
        """Of these what is under the ceilings; of a space too large to be listed, all there are."""
        return sum(
            space.size if untried.count is None else untried.count
            for space, untried in zip(
                self.affordable.values(), self.untried(task, seed=0), strict=True
            )
        )

    def untried(self, task: ImageTask, seed: int) -> list[Untried]:
        """Of every searched family, what can be tried."""
        return [
            Untried(
                space,
                task,
                max_flops=self.flops_ceiling,
                cost=self.cost,
                max_cost=self.cost_ceiling,
                seed=seed,
            )
            for space in self.affordable.values()
        ]

    def drawn(self, task: ImageTask, seed: int) -> list[list[Config]]:
        """Of every searched family configurations as they may come, at random; not one twice."""
        found = []
        for untried in self.untried(task, seed):
            drawn: list[Config] = []
            while len(drawn) < _DRAWS and (config := untried.draw()) is not None:
                drawn.append(config)
                untried.remove(config)
            found.append(drawn)
        return [drawn for drawn in found if drawn]


def plan(spec: StudySpec, task: ImageTask, given: Sequence[Config] = ()) -> Plan:
    """Works a specification out; arithmetic only.

    Args:
        spec: the study.
        task: of its images.
        given: configurations that set the scale of a study without a search, beside its baselines.

    Raises:
        ConfigError: a patch does not tile the images, nothing is under `max_flops` or `max_cost`,
            or a baseline is no preset.
        StudyError: a baseline is made for other images, or not under these.
    """
    spaces = {name: fitted(name, spec.space[name], task) for name in spec.families}
    if spec.trials == 0 and not isinstance(spec.baselines, int):  # what is given sets the scale
        given = [*given, *(presets.load(name).config for name in spec.baselines)]

    def highest(cost: Cost, spaces: Mapping[str, SearchSpace]) -> float:
        configs = given or [space.most_expensive(task, cost) for space in spaces.values()]
        return max(map(cost, configs))

    def within(limit: float, cost: Cost, spaces: dict[str, SearchSpace]) -> dict[str, SearchSpace]:
        if spec.trials == 0:
            return spaces
        return {name: space.within(task, limit, cost) for name, space in spaces.items()}

    most_expensive = highest(FLOPS, spaces)
    flops_ceiling = math.ceil(most_expensive * _ROOM)
    if spec.flops_limit is not None:
        flops_ceiling = min(flops_ceiling, spec.flops_limit)
    affordable = within(min(flops_ceiling, most_expensive), FLOPS, spaces)
    cost, ceiling = find_cost(spec.cost), float(flops_ceiling)
    if cost is not FLOPS:
        most_expensive = highest(cost, affordable)
        ceiling = min(most_expensive * _ROOM, spec.max_cost or math.inf)
        affordable = within(min(ceiling, most_expensive), cost, affordable)
    budget = min(ceiling, most_expensive)
    floor = min(cost(space.cheapest(task, cost)) for space in spaces.values())
    return Plan(
        spaces=spaces,
        affordable=affordable,
        flops_ceiling=flops_ceiling,
        cost=cost,
        cost_ceiling=ceiling,
        baselines=_baselines(spec, task, cost, floor, budget),
    )


def refuse_given_weights(spec: StudySpec) -> None:
    """Refuses a study whose trainings start from given weights, which only one command has.

    Raises:
        StudyError: that is so.
    """
    if spec.start_from is not None:
        raise StudyError(
            f"study {spec.name!r} fine-tunes the weights of preset {spec.start_from.preset!r}; go "
            "on with it by the search.finetune that began it"
        )


def epoch_steps(spec: StudySpec, num_train: int) -> int:
    """The steps of an epoch over so many training images.

    Raises:
        StudyError: they do not fill a batch.
    """
    steps = steps_per_epoch(spec.recipe.batch_size, num_train)
    if steps == 0:
        raise StudyError(
            f"recipe.batch_size={spec.recipe.batch_size} is more than the {num_train:,} training "
            "images; choose a smaller batch or more images"
        )
    return steps


def reachable(spec: StudySpec, plan: Plan, task: ImageTask) -> int:
    """How many trials a study can have: those asked for, or all the space has.

    Raises:
        StudyError: nothing is under both limits, of FLOPs and of what it minimises.
    """
    if spec.trials == 0:
        return 0
    counts = [untried.count for untried in plan.untried(task, spec.seed)]
    there = sum(spec.trials if count is None else count for count in counts)
    if there == 0:
        raise StudyError(
            f"no configuration of the space has at most {FLOPS.exactly(plan.flops_ceiling)} and "
            f"{plan.cost.exactly(plan.cost_ceiling)}; raise --max-flops or --max-cost"
        )
    return min(spec.trials, there)


def _baselines(
    spec: StudySpec, task: ImageTask, cost: Cost, floor: float, ceiling: float
) -> tuple[Config, ...]:
    limits = [(cost, ceiling)]
    if cost is not FLOPS and spec.max_flops is not None:
        limits.append((FLOPS, spec.max_flops))
    if isinstance(spec.baselines, int):
        if spec.baselines == 0:
            return ()
        return tuple(
            ladder(
                baseline_family(spec.families),
                task,
                min_cost=floor,
                max_cost=ceiling,
                rungs=spec.baselines,
                cost=cost,
                max_flops=limits[-1][1] if len(limits) > 1 else math.inf,
            )
        )
    configs = []
    for name in spec.baselines:
        config = presets.load(name).config
        if config.task != task:
            raise StudyError(
                f"{'baseline' if spec.trials else 'preset'} {name!r} is made for "
                f"{_images(config.task)}, {spec.dataset} has {_images(task)}; choose presets made "
                f"for these images{', or a number of baselines' if spec.trials else ''}"
            )
        for limited, limit in limits:
            if limited(config) > limit:
                raise StudyError(
                    f"baseline {name!r} costs {limited.exactly(limited(config))}, over the "
                    f"study's ceiling of {exact_count(limit)}; raise {limited.option} or leave it "
                    "out"
                )
        configs.append(config)
    return tuple(configs)


def _images(task: ImageTask) -> str:
    side = f"{task.image_size}x{task.image_size}x{task.image_channels}"
    return f"{side} images of {task.num_classes} classes"
