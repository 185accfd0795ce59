"""The images of a study: of the version and the split that it began with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from runs.reader import Reader, UnknownStudyError
from runs.record import StudyRecord
from search import data as images
from search.data import DataError, ImageData
from search.data.naming import DatasetName
from search.data.sources import tfds_name
from search.spec.data_spec import DataSpec
from search.spec.studies import StudyError, StudySpec

DATA_BEFORE = DataSpec(validation="split").model_dump(mode="json", exclude={"skip_broken"})
"""How images were read when there was no choice."""


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
    began = study and dataset_of(study)
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
    began = study.spec.get("data", DATA_BEFORE)["validation"]
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


def dataset_of(study: StudyRecord) -> DatasetName | None:
    """The data set a study began with, in the version that is noted; None where it names none."""
    try:
        name = tfds_name(str(study.spec.get("dataset")))
    except DataError:
        return None
    return name and replace(name, version=study.spec.get("dataset_version") or name.version)


def agree(began: DatasetName, asked: DatasetName) -> bool:
    """Whether they may be the same: a version that is not known is left to the digest."""
    versions = {began.version, asked.version} - {None}
    return began.unversioned == asked.unversioned and len(versions) < 2
