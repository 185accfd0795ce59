"""From a specification and images to a study that can be run or continued."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from runs.reader import Reader, UnknownStudyError
from runs.record import StudyRecord
from search.data import ImageData
from search.rungs import NO_RUNGS
from search.studies import StudyError, StudySpec
from search.untried import Untried
from space import presets
from space.config import Config, ImageTask
from space.cost import cost
from space.ladder import vit_ladder
from space.search_space import SearchSpace

_ROOM = 10**0.01
"""Between the dearest configuration and the ceiling, where no budget is below: the reference point
must lie beyond what is measured to it, or the dearest adds nothing however accurate it is. As much
as `search.sampler` has for its own reference point, and 2 % of FLOPs are too few to tell apart."""


@dataclass(frozen=True)
class Plan:
    """What a specification means for images of one kind."""

    space: SearchSpace
    """As specified, what was left open fitted to the images."""
    affordable: SearchSpace
    """Without the values that nothing under the ceiling can have."""
    flops_ceiling: int
    """What a new study keeps: one that was begun goes on with its own."""
    baselines: tuple[Config, ...]


def plan(spec: StudySpec, task: ImageTask) -> Plan:
    """Works a specification out; arithmetic only.

    Raises:
        ConfigError: a patch does not tile the images, nothing is under `max_flops`, or a
            baseline is no preset.
        StudyError: a baseline is made for other images, or not under `max_flops`.
    """
    space = spec.space.fitted(task)
    dearest = cost(space.dearest(task)).flops
    ceiling = math.ceil(dearest * _ROOM)
    if spec.max_flops is not None:
        ceiling = min(ceiling, spec.max_flops)
    budget = min(ceiling, dearest)
    return Plan(
        space=space,
        affordable=space.within(task, budget),
        flops_ceiling=ceiling,
        baselines=_baselines(spec, task, cost(space.cheapest(task)).flops, budget),
    )


def reachable(spec: StudySpec, plan: Plan, task: ImageTask) -> int:
    """How many trials a study can come to: those asked for, or all there are."""
    untried = Untried(plan.affordable, task, max_flops=plan.flops_ceiling, seed=spec.seed)
    return spec.trials if untried.count is None else min(spec.trials, untried.count)


def study_of(store: Reader, spec: StudySpec, plan: Plan, data: ImageData) -> StudyRecord:
    """The study of that name in the database, or what is to be added there.

    Raises:
        StudyError: it is there with another specification, or began on other images.
    """
    fixed = spec.fixed() | {"space": plan.space.model_dump(mode="json")}
    new = StudyRecord(
        name=spec.name,
        spec=fixed,
        num_classes=data.task.num_classes,
        data_digest=data.digest,
        flops_ceiling=plan.flops_ceiling,
        created_at=datetime.now(UTC),
    )
    try:
        study = store.study(spec.name)
    except UnknownStudyError:
        return new
    older = {"rungs": NO_RUNGS.model_dump(mode="json")}
    defaults = StudySpec(name=spec.name, dataset=spec.dataset).fixed() | older
    different = _differences(defaults | study.spec, fixed)  # an older version knew fewer fields
    if different:
        raise StudyError(
            f"study {spec.name!r} is in {store.where} with another specification: "
            f"{'; '.join(different)}; ask for the same, or name another study with --study-name"
        )
    if study.data_digest != data.digest:
        raise StudyError(
            f"study {spec.name!r} began on other images of {spec.dataset} (digest "
            f"{study.data_digest}, these are {data.digest}); use the same --data-dir, "
            "or name another study with --study-name"
        )
    return study


def _baselines(spec: StudySpec, task: ImageTask, floor: int, ceiling: int) -> tuple[Config, ...]:
    if isinstance(spec.baselines, int):
        if spec.baselines == 0:
            return ()
        return tuple(vit_ladder(task, min_flops=floor, max_flops=ceiling, rungs=spec.baselines))
    configs = []
    for name in spec.baselines:
        config = presets.load(name).config
        if config.task != task:
            raise StudyError(
                f"baseline {name!r} is made for {_images(config.task)}, the study has "
                f"{_images(task)}; choose presets made for these images, or a number of ViTs"
            )
        if cost(config).flops > ceiling:
            raise StudyError(
                f"baseline {name!r} costs {cost(config).flops:,} FLOPs, over the study's ceiling "
                f"of {ceiling:,}; raise --max-flops or leave it out"
            )
        configs.append(config)
    return tuple(configs)


def _images(task: ImageTask) -> str:
    side = f"{task.image_size}x{task.image_size}x{task.image_channels}"
    return f"{side} images of {task.num_classes} classes"


def _differences(there: dict[str, Any], asked: dict[str, Any], path: str = "") -> list[str]:
    """`field: A there, B asked` for every leaf that differs."""
    found = []
    for key in sorted(there.keys() | asked.keys()):
        a, b = there.get(key), asked.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += _differences(a, b, f"{path}{key}.")
        elif a != b:
            found.append(f"{path}{key} is {a} there, {b} asked")
    return found
