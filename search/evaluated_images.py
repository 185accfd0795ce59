"""The images that a trained network is evaluated on, and whether they are what it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pydantic

from search.data import find_task, load
from search.data.sources import source_of, tfds_name
from search.data.split import Images, Labels
from search.spec.data_spec import AS_THEY_ARE, DataSpec
from search.study.study_images import agree
from space.errors import MixerSearchError, explain, listed
from space.presets import Preset


class EvaluationError(MixerSearchError):
    """A network cannot be evaluated on a data set: the images or their classes are others."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A data set, and how its images are read for a network."""

    dataset: str
    is_own: bool
    """Whether it has the name of the one that the network was trained on."""
    like_own: bool
    """Whether it is read as that one was: it may have moved."""
    options: DataSpec
    data_dir: Path | None
    report: Callable[[str], None]


def wanted_images(
    preset: Preset,
    dataset: str | None,
    resize: bool,
    data_dir: Path | None,
    report: Callable[[str], None],
) -> Wanted:
    """Which images, and how they are read."""
    own = preset.source.get("dataset")
    name = dataset or own
    if not isinstance(name, str):
        raise EvaluationError(
            f"preset {preset.name!r} does not say on what data it was trained; give --dataset NAME"
        )
    is_own = like_own = name == own
    version = preset.source.get("dataset_version")
    if isinstance(own, str) and not is_own:
        began, asked = tfds_name(own), tfds_name(name)
        if began and asked:
            is_own = like_own = agree(replace(began, version=version or began.version), asked)
        else:
            like_own = source_of(own) is not None and source_of(own) == source_of(name)
    if is_own and (asked := tfds_name(name)):
        name = str(replace(asked, version=asked.version or version))
    spec = AS_THEY_ARE
    if like_own:
        spec = _data_spec(preset)
    elif resize:
        assert preset.trained is not None, "it has weights"
        spec = DataSpec(image_size=preset.config.image_size, resize=preset.trained.resize)
    return Wanted(
        dataset=name,
        is_own=is_own,
        like_own=like_own,
        options=spec,
        data_dir=data_dir,
        report=report,
    )


def _data_spec(preset: Preset) -> DataSpec:
    """How the images of its training were read."""
    try:
        return DataSpec.model_validate(preset.source.get("data") or {})
    except pydantic.ValidationError as error:
        raise EvaluationError(
            f"preset {preset.name!r}: its source.data is not one of this version "
            f"({explain(error)}); mend that in its preset.json"
        ) from None


def validation_images(preset: Preset, wanted: Wanted) -> tuple[Images, Labels, float | None]:
    """Validation images and labels, and what the training measured of them."""
    division = (preset.source.get("validation") or {}) if wanted.like_own else {}
    names = ("validation_fraction", "split", "split_seed", "train_limit")
    data = load(
        wanted.dataset,
        data_dir=wanted.data_dir,
        options=wanted.options,
        report=wanted.report,
        **{name: division[name] for name in names if name in division},
    )
    check_classes(preset, wanted.dataset, data.class_names)
    digest = division.get("data_digest")
    if data.digest == digest:
        own = preset.source.get("weights", {}).get("validation", {})
        return data.validation_images, data.validation_labels, own.get("accuracy")
    if wanted.is_own and digest:
        raise EvaluationError(
            f"{wanted.dataset} here holds other images than {preset.name!r} was trained on (digest "
            f"{digest}, these are {data.digest}): its validation images may be among them; name "
            "their folder with --data-dir, or another data set with --dataset"
        )
    return data.validation_images, data.validation_labels, None


def check_task(preset: Preset, wanted: Wanted) -> None:
    """Looks whether images are what the network takes, before any is read."""
    takes, name = preset.config.task, wanted.dataset
    task = find_task(name, data_dir=wanted.data_dir, options=wanted.options)
    if task.num_classes != takes.num_classes:
        raise EvaluationError(
            f"{name} has {task.num_classes:,} classes, and {preset.name!r} tells "
            f"{takes.num_classes:,} apart; evaluate it on a data set with its classes"
        )
    if task.image_channels != takes.image_channels:
        grey = "numpy.repeat(images, 3, axis=-1)"
        how = f"repeat them with {grey}" if takes.image_channels == 3 else "make them grey"
        raise EvaluationError(
            f"{name} has images of {task.image_channels} channels, and {preset.name!r} takes "
            f"{takes.image_channels}; {how}, and give them as --dataset arrays:FILE.npz"
        )
    if task.image_size != takes.image_size:
        raise EvaluationError(
            f"{name} has images of {task.image_size} x {task.image_size} pixels, and "
            f"{preset.name!r} takes {takes.image_size} x {takes.image_size}; --resize converts them"
        )


def check_classes(preset: Preset, dataset: str, names: tuple[str, ...]) -> None:
    """Looks whether labels mean the same, where both say what they mean."""
    mine = preset.trained.class_names if preset.trained else ()
    if mine and names and mine != names:
        raise EvaluationError(
            f"the classes of {dataset} are {listed(names, 5)}, and {preset.name!r} tells "
            f"{listed(mine, 5)} apart; evaluate it on a data set with the same classes in the same "
            "order"
        )
