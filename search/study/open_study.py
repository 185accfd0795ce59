"""From a specification and images to a study that can be run or continued."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from runs.reader import Reader, UnknownStudyError
from runs.record import StudyRecord
from search import data as images
from search.data import DataError, ImageData
from search.data.naming import DatasetName
from search.data.sources import source_of, tfds_name
from search.schedule.untried import Untried
from search.spec.data_spec import DataSpec
from search.spec.rungs import NO_RUNGS
from search.spec.studies import StudyError, StudySpec
from space import presets
from space.config import Config, ImageTask
from space.costs import FLOPS, Cost, find_cost
from space.families import DEFAULT_FAMILIES, baseline_family
from space.ladder import ladder
from space.quantities import exact_count
from space.search_space import SearchSpace, fitted

_ROOM = 10**0.01
"""The ceiling over the most expensive configuration, where no budget is below: the reference point
must lie beyond what is measured to it, or that configuration adds nothing however accurate it is.
As much as `search.schedule.sampler` has for its own reference point; 2 % of FLOPs are too few to
tell apart."""

_DATA_BEFORE = DataSpec(validation="split").model_dump(mode="json", exclude={"skip_broken"})
"""How images were read when there was no choice."""


BEFORE_THE_FIELD = {
    "rungs": NO_RUNGS.model_dump(mode="json"),
    "split": "random",
    "data": _DATA_BEFORE,
}
"""How studies were run before these fields were part of their specification."""

NOTES = frozenset({"asked", "dataset_version", "decoder"})
"""What a record's specification holds beyond the fields of a `StudySpec`."""


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


def plan(spec: StudySpec, task: ImageTask) -> Plan:
    """Works a specification out; arithmetic only.

    Raises:
        ConfigError: a patch does not tile the images, nothing is under `max_flops` or `max_cost`,
            or a baseline is no preset.
        StudyError: a baseline is made for other images, or not under these.
    """
    spaces = {name: fitted(name, spec.space[name], task) for name in spec.families}
    given = []
    if spec.trials == 0 and not isinstance(spec.baselines, int):  # what is given sets the scale
        given = [presets.load(name).config for name in spec.baselines]

    def dearest(cost: Cost, spaces: Mapping[str, SearchSpace]) -> float:
        configs = given or [space.most_expensive(task, cost) for space in spaces.values()]
        return max(map(cost, configs))

    def within(limit: float, cost: Cost, spaces: dict[str, SearchSpace]) -> dict[str, SearchSpace]:
        if spec.trials == 0:
            return spaces
        return {name: space.within(task, limit, cost) for name, space in spaces.items()}

    most_expensive = dearest(FLOPS, spaces)
    flops_ceiling = math.ceil(most_expensive * _ROOM)
    if spec.flops_limit is not None:
        flops_ceiling = min(flops_ceiling, spec.flops_limit)
    affordable = within(min(flops_ceiling, most_expensive), FLOPS, spaces)
    cost, ceiling = find_cost(spec.cost), float(flops_ceiling)
    if cost is not FLOPS:
        most_expensive = dearest(cost, affordable)
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


def _most(spaces: Mapping[str, SearchSpace], task: ImageTask, cost: Cost) -> float:
    """Of all members of all families."""
    return max(cost(space.most_expensive(task, cost)) for space in spaces.values())


def _within(
    spaces: Mapping[str, SearchSpace], task: ImageTask, limit: float, cost: Cost
) -> dict[str, SearchSpace]:
    return {name: space.within(task, limit, cost) for name, space in spaces.items()}


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


def images_of(
    store: Reader,
    spec: StudySpec,
    *,
    data_dir: Path | None,
    archive: Path | None = None,
    given: images.Arrays | ImageData | None = None,
    report: Callable[[str], None],
) -> ImageData:
    """The images of a new study, or those of the version and split that a study began with.

    A study that an older version of this program began has no version noted: where several are
    prepared, it is the one whose images have the study's digest. Images that are given take the
    place of those that the specification names.

    Raises:
        DataError: the images cannot be had.
        StudyError: the version the study began with is not there.
    """
    try:
        study = store.study(spec.name)
    except UnknownStudyError:
        study = None
    asked = tfds_name(spec.dataset)
    load = partial(
        images.load,
        data_dir=data_dir,
        archive=archive,
        validation_fraction=spec.validation_fraction,
        split=spec.split or (study.spec.get("split", "random") if study else "stratified"),
        train_limit=spec.train_limit,
        options=_options(spec, study),
        report=report,
    )
    began = study and _dataset_of(study)
    if given is not None or not study or not began or not asked:
        return load(spec.dataset if given is None else given)
    if asked.version or began.unversioned != asked.unversioned:
        return load(spec.dataset)
    there = images.versions(spec.dataset, data_dir=data_dir)
    if began.version and there and began.version not in there:
        raise StudyError(
            f"study {spec.name!r} began on {began}, and the data directory holds "
            f"{', '.join(there)}; run `python -m search.data prepare {began}`, name the folder "
            "that holds it with --data-dir DIR, or name another study with --study-name"
        )
    if began.version:
        data = load(str(began))
    elif len(there) > 1:
        data = _of_digest(study.data_digest, [str(asked.at(version)) for version in there], load)
    else:
        data = load(spec.dataset)
    if there and data.version != there[0]:
        report(
            f"{asked.unversioned} {there[0]} is there too: study {spec.name!r} goes on with "
            f"{data.version}, with which it began"
        )
    return data


def _options(spec: StudySpec, study: StudyRecord | None) -> DataSpec:
    """How images are read, where nothing is asked for as the study began."""
    if spec.data.validation or not study:
        return spec.data
    began = study.spec.get("data", _DATA_BEFORE)["validation"]
    return spec.data.model_copy(update={"validation": began})


def _of_digest(digest: str, datasets: list[str], load: Callable[[str], ImageData]) -> ImageData:
    """The first of the data sets whose images have the digest, else the first."""
    failed: DataError | None = None
    first: ImageData | None = None
    for dataset in datasets:
        try:
            data = load(dataset)
        except DataError as error:  # of another kind, perhaps, or damaged: not this study's
            failed = failed or error
            continue
        if data.digest == digest:
            return data
        first = first or data
    if first is None:
        assert failed, "there was a data set"
        raise failed
    return first


def study_of(
    store: Reader,
    spec: StudySpec,
    plan: Plan,
    data: ImageData,
    asked: dict[str, Any] | None = None,
) -> StudyRecord:
    """The study of that name in the database, or what is to be added there.

    `asked` is noted in it: what may differ from one start of the study to the next.

    Raises:
        StudyError: it is there with another specification, or began on other images.
    """
    ranges = {
        family: {name: list(values) for name, values in space.ranges.items()}
        for family, space in plan.spaces.items()
    }
    fixed = spec.fixed() | {"space": ranges, "split": data.split}
    fixed["data"] |= {"validation": data.validation}
    read = {
        "dataset_version": data.version,
        "decoder": data.decoder,
        "asked": asked,
        "cost_ceiling": None if plan.cost is FLOPS else plan.cost_ceiling,
    }
    new = StudyRecord(
        name=spec.name,
        spec=fixed | {name: value for name, value in read.items() if value is not None},
        num_classes=data.task.num_classes,
        data_digest=data.digest,
        flops_ceiling=plan.flops_ceiling,
        created_at=datetime.now(UTC),
    )
    try:
        study = store.study(spec.name)
    except UnknownStudyError:
        return new
    defaults = StudySpec(name=spec.name, dataset=spec.dataset).fixed() | BEFORE_THE_FIELD
    there = defaults | study.spec  # an older version knew fewer fields
    if "families" not in study.spec:  # it knew one, whose ranges were all there is of a space
        there["space"] = dict.fromkeys(DEFAULT_FAMILIES, study.spec.get("space"))
    there = {name: value for name, value in there.items() if name not in NOTES}
    asked_name, began = tfds_name(spec.dataset), _dataset_of(study)
    if began and asked_name:
        agree = _agree(began, asked_name)
        there["dataset"] = str(began)
        fixed["dataset"] = str(began if agree else asked_name)
    elif source_of(spec.dataset) and source_of(spec.dataset) == source_of(str(there["dataset"])):
        fixed["dataset"] = there["dataset"]  # a folder may move: the digest tells
    different = _differences(there, fixed)
    if different:
        raise StudyError(
            f"study {spec.name!r} is in {store.where} with another specification: "
            f"{'; '.join(different)}; ask for the same, or name another study with --study-name"
        )
    if study.data_digest != data.digest:
        raise StudyError(
            f"study {spec.name!r} began on other images of {spec.dataset} (digest "
            f"{study.data_digest}, these are {data.digest}){_way_out(study, data)}"
        )
    return study if asked is None else replace(study, spec=study.spec | {"asked": asked})


def _dataset_of(study: StudyRecord) -> DatasetName | None:
    """The data set a study began with, in the version that is noted; None where it names none."""
    try:
        name = tfds_name(str(study.spec.get("dataset")))
    except DataError:
        return None
    return name and replace(name, version=study.spec.get("dataset_version") or name.version)


def _agree(began: DatasetName, asked: DatasetName) -> bool:
    """Whether they may be the same: a version that is not known is left to the digest."""
    versions = {began.version, asked.version} - {None}
    return began.unversioned == asked.unversioned and len(versions) < 2


def _way_out(study: StudyRecord, data: ImageData) -> str:
    """Why the images may be others, and what to do: the end of a sentence."""
    before, now = study.spec.get("decoder"), data.decoder
    same = "the same images" if source_of(data.name) else "the same --data-dir"
    if now and not before:
        return (
            "; an older version of this program read them, with OpenCV where that was installed "
            "and without a look at palettes or bits: name another study with --study-name, or use "
            f"{same} where it was another"
        )
    if now and before != now:
        return (
            f"; they were decoded by {before}, these by {now}: install that version again, use "
            f"{same}, or name another study with --study-name"
        )
    return f"; use {same}, or name another study with --study-name"


def _baselines(
    spec: StudySpec, task: ImageTask, cost: Cost, floor: float, ceiling: float
) -> tuple[Config, ...]:
    limits = [(cost, ceiling)]
    if cost is not FLOPS and spec.max_flops is not None:
        limits.append((FLOPS, spec.max_flops))
    if isinstance(spec.baselines, int):
        if spec.baselines == 0:
            return ()
        family = baseline_family(spec.families)
        if family is None:  # all families are searched: each is compared with the others
            return ()
        return tuple(
            ladder(
                family,
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
