"""A study in the database: one that is new, or the same that was begun, or another: refused."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from runs.reader import Reader, UnknownStudyError
from runs.record import StudyRecord
from runs.rungs import SPARED
from search.data import ImageData
from search.data.sources import source_of, tfds_name
from search.spec.rungs import NO_RUNGS, RungSpec
from search.spec.studies import StudyError, StudySpec
from search.study.plan import Plan
from search.study.study_images import DATA_BEFORE, agree, dataset_of
from space.costs import FLOPS
from space.families import DEFAULT_FAMILIES

RUNGS_BEFORE = {"exempt": "unweighted", "spared": SPARED["unweighted"]}

BEFORE_THE_FIELD = {
    "rungs": NO_RUNGS.model_dump(mode="json") | RUNGS_BEFORE,
    "split": "random",
    "data": DATA_BEFORE,
}
"""How studies were run before these fields were part of their specification."""

NOTES = frozenset(
    {
        *("asked", "cost_ceiling", "dataset_version", "decoder", "earlier", "first_name"),
        *("num_validation", "rate_of", "rate_studies"),
    }
)
"""What a record's specification holds beyond the fields of a `StudySpec`."""


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
    fixed["rungs"] = spec.rungs.settled().model_dump(mode="json")
    fixed["data"] |= {"validation": data.validation}
    read = {
        "dataset_version": data.version,
        "decoder": data.decoder,
        "num_validation": len(data.validation_labels),
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
    there["recipe"] = _filled_up(there["recipe"], defaults["recipe"])
    there["rungs"] = RUNGS_BEFORE | there["rungs"]
    rungs = RungSpec.model_validate(there["rungs"])
    fixed["rungs"] = spec.rungs.settled(rungs).model_dump(mode="json")
    if not spec.learning_rates:  # not said: as it began
        fixed["learning_rates"] = there["learning_rates"]
    asked_name, began = tfds_name(spec.dataset), dataset_of(study)
    if began and asked_name:
        same = agree(began, asked_name)
        there["dataset"] = str(began)
        fixed["dataset"] = str(began if same else asked_name)
    elif source_of(spec.dataset) and source_of(spec.dataset) == source_of(str(there["dataset"])):
        fixed["dataset"] = there["dataset"]  # a folder may move: the digest tells
    different = _differences(there, fixed)
    if different:
        raise StudyError(
            f"study {spec.name!r} is in {store.where} with another specification: "
            f"{'; '.join(different)}; ask for the same, go on with what is there (--resume "
            f"{shlex.quote(spec.name)}), or name another study with --study-name"
        )
    check_images(study, data)
    if asked is None:
        return study
    noted = {"num_validation": len(data.validation_labels), "asked": asked}
    return replace(study, spec=study.spec | noted)


def as_it_began(spec: StudySpec, study: StudyRecord) -> StudySpec:
    """A specification with what it leaves open as the study has it: rates and exempt trials."""
    rungs = study.spec.get("rungs")
    began = RungSpec.model_validate(RUNGS_BEFORE | rungs) if rungs else None
    rates = study.spec.get("learning_rates", {})
    return spec.model_copy(update={"learning_rates": rates, "rungs": spec.rungs.settled(began)})


def check_images(study: StudyRecord, data: ImageData) -> None:
    """Looks whether images are those that a study began on.

    Raises:
        StudyError: they are others.
    """
    if study.data_digest != data.digest:
        raise StudyError(
            f"study {study.name!r} began on other images of {data.name} (digest "
            f"{study.data_digest}, these are {data.digest}){_way_out(study, data)}"
        )


def _filled_up(there: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """A table, and the tables in it, with the fields that an older version did not know."""
    return {
        name: _filled_up(there[name], value)
        if isinstance(value, dict) and name in there
        else there.get(name, value)
        for name, value in (there | defaults).items()
    }


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
