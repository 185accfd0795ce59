"""Studies: what to search, on what, how to train it; and the ones that are built in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field, PositiveInt

from runs.study_name import check_name
from search.spec.data_spec import DataSpec
from search.spec.recipe import Augmentation, Positive, Recipe
from search.spec.rungs import RungSpec
from search.spec.spaces import Families, RangesByFamily, check_families, ranges_by_family
from search.spec.start_from import StartFrom
from search.spec.warm_start import EarlierStudy
from space.config import Frozen
from space.costs import FLOPS, find_objective
from space.errors import MixerSearchError, explain_one
from space.families import DEFAULT_FAMILIES
from space.mixer_family import MixerRanges
from space.quantities import parse_amount, parse_count

Division = Literal["stratified", "random"]
"""Of the images: each class in its share, or as chance has it."""

SamplerName = Literal["cost_aware", "tpe", "nsga2", "random"]


class StudyError(MixerSearchError):
    """No such study, or a study that cannot be: the sentence names the field."""


class StudySpec(Frozen):
    """A search: one space a family, and one recipe, data set and goal for all."""

    name: str
    dataset: Annotated[str, Field(min_length=1)]
    """`folder:PATH`, `arrays:FILE.npz`, a TFDS image-classification data set, or `digits`
    (scikit-learn's, bundled).

    Of TFDS in its notation: `NAME`, `NAME/CONFIG`, each with `:VERSION`.
    """
    families: Families = DEFAULT_FAMILIES
    """The kinds of networks searched, each by a sampler of its own: the next new trial goes to the
    one with less training compute so far."""
    space: RangesByFamily = Field(default_factory=dict, validate_default=True)
    """The ranges of every searched family; of one alone they may be given without its name."""
    data: DataSpec = DataSpec()
    """How its images are read."""
    recipe: Recipe = Recipe()
    learning_rates: dict[str, Positive] = Field(default_factory=dict)
    """By family, in the place of the recipe's rate; a family that is not named has that."""
    trials: Annotated[int, Field(ge=0)] = 40
    """Configurations to train; baselines come on top, and with 0 are all there is."""
    baselines: Annotated[int, Field(ge=0)] | tuple[str, ...] = 4
    """How many, spread over the range of its cost, of a family that is not searched (ViTs where
    they are not), or of Mixers in their published proportions where all are searched; or presets by
    name or path."""
    cost: str = FLOPS.name
    """What it minimises, beside the accuracy that it maximises: see `space.costs`."""
    max_cost: Annotated[float, Field(gt=0)] | None = None
    """Dearest configuration tried, in that cost."""
    max_flops: PositiveInt | None = None
    """Dearest configuration tried; one image, forward. A limit of its own where the study minimises
    another cost."""
    min_accuracy: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Less accurate trials count as useless, however cheap."""
    sampler: SamplerName = "cost_aware"
    rungs: RungSpec = RungSpec()
    """Where trials that are too far behind are stopped."""
    seed: Annotated[int, Field(ge=0, lt=2**31 - 100)] = 0
    seeds: Annotated[int, Field(ge=1, le=100)] = 1
    """Trainings of every configuration, `seed` and the next ones; compared by their mean."""
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1
    split: Division | None = None
    """Whether validation has every class in its share (`stratified`) or as chance has it
    (`random`); None: as the study began, a new one stratified."""
    train_limit: PositiveInt | None = None
    """Only the first so many training images."""
    start_from: Annotated[StartFrom | None, Field(validate_default=True)] = None
    """Weights that are fine-tuned; `search.finetune` fills this in."""
    warm_start: tuple[str, ...] = ()
    """Earlier studies whose trials the sampler learns from: `STUDY`, or `URL#STUDY` of another
    database. They are read once, when the study begins."""

    @pydantic.field_validator("name")
    @classmethod
    def _name_is_safe(cls, name: str) -> str:
        return check_name(name)

    @pydantic.field_validator("data")
    @classmethod
    def _patches_tile_the_images(cls, data: DataSpec, others: pydantic.ValidationInfo) -> DataSpec:
        spaces = others.data.get("space", {}).values() if data.image_size else ()
        for patch in [p for ranges in spaces for p in getattr(ranges, "patch_size", None) or ()]:
            if data.image_size % patch:
                raise ValueError(
                    f"image_size={data.image_size} is not tiled by space.patch_size={patch}; "
                    "choose a multiple, or other patches"
                )
        return data

    @pydantic.field_validator("families", mode="before")
    @classmethod
    def _families_are_known(cls, given: Any) -> Any:
        return check_families(given)

    @pydantic.field_validator("learning_rates")
    @classmethod
    def _rates_are_of_families(cls, rates: dict[str, float]) -> dict[str, float]:
        check_families(list(rates))
        return rates

    @pydantic.field_validator("space", mode="before")
    @classmethod
    def _ranges_by_family(cls, given: Any, others: pydantic.ValidationInfo) -> Any:
        return ranges_by_family(given, others.data["families"]) if "families" in others.data else {}

    @pydantic.field_validator("rungs")
    @classmethod
    def _rungs_fit(cls, rungs: RungSpec, others: pydantic.ValidationInfo) -> RungSpec:
        if "recipe" in others.data:
            rungs.epochs(others.data["recipe"].epochs)
        return rungs

    @pydantic.field_validator("start_from")
    @classmethod
    def _frozen_weights_were_trained(
        cls, start: StartFrom | None, others: pydantic.ValidationInfo
    ) -> StartFrom | None:
        recipe = others.data.get("recipe")
        if start is None and recipe is not None and recipe.freeze:
            raise ValueError(
                "recipe.freeze trains the head alone, on features that were never trained; leave "
                "it out, or fine-tune a preset with weights by search.finetune --freeze"
            )
        return start

    @pydantic.field_validator("max_flops", mode="before")
    @classmethod
    def _max_flops_with_unit(cls, given: Any) -> Any:
        try:
            return parse_count(given) if isinstance(given, str) else given
        except MixerSearchError as error:
            raise ValueError(str(error)) from None

    @pydantic.field_validator("max_cost", mode="before")
    @classmethod
    def _max_cost_with_unit(cls, given: Any) -> Any:
        try:
            return parse_amount(given) if isinstance(given, str) else given
        except MixerSearchError as error:
            raise ValueError(str(error)) from None

    @pydantic.field_validator("cost")
    @classmethod
    def _cost_can_be_minimized(cls, cost: str) -> str:
        try:
            return cost if cost == FLOPS.name else find_objective(cost).name
        except MixerSearchError as error:
            raise ValueError(str(error)) from None

    @pydantic.field_validator("max_flops")
    @classmethod
    def _flops_have_one_limit(
        cls, max_flops: int | None, others: pydantic.ValidationInfo
    ) -> int | None:
        limits = {max_flops, others.data.get("max_cost")} - {None}
        if others.data.get("cost") == FLOPS.name and len(limits) > 1:
            raise ValueError("the study minimises FLOPs, which max_cost limits too; give one")
        return max_flops

    @pydantic.field_validator("baselines", "warm_start", mode="before")
    @classmethod
    def _lists_as_tuples(cls, given: Any) -> Any:
        return tuple(given) if isinstance(given, list) else given

    @pydantic.field_validator("warm_start")
    @classmethod
    def _earlier_studies_are_named(
        cls, given: tuple[str, ...], others: pydantic.ValidationInfo
    ) -> tuple[str, ...]:
        sampler = others.data.get("sampler", "cost_aware")
        if given and sampler != "cost_aware":
            raise ValueError(
                f"the sampler {sampler} learns from no earlier study; use cost_aware, or leave "
                "warm_start out"
            )
        try:
            for text in given:
                EarlierStudy.parse(text)
        except MixerSearchError as error:
            raise ValueError(str(error)) from None
        return tuple(dict.fromkeys(given))

    @property
    def flops_limit(self) -> int | None:
        """`max_flops`, or `max_cost` where that is the same."""
        if self.cost == FLOPS.name and self.max_cost is not None:
            return math.floor(self.max_cost)
        return self.max_flops

    def fixed(self) -> dict[str, Any]:
        """All that must stay the same for results to belong to one study: not `trials`.

        Whether broken files were left out, the digest of the images tells.
        """
        fields = self.model_dump(mode="json", exclude={"trials", "name"})
        del fields["data"]["skip_broken"]
        if self.cost == FLOPS.name:  # a limit of FLOPs has two names
            fields |= {"max_cost": None, "max_flops": self.flops_limit}
        fields["warm_start"] = [str(EarlierStudy.parse(text)) for text in self.warm_start]
        return fields


def recipe_for(spec: StudySpec, family: str) -> Recipe:
    """How the study trains networks of a family: its recipe, at the family's learning rate."""
    rate = spec.learning_rates.get(family)
    return spec.recipe if rate is None else spec.recipe.model_copy(update={"learning_rate": rate})


_NATURAL = Recipe(
    batch_size=128,
    learning_rate=2e-3,
    label_smoothing=0.1,
    augmentation=Augmentation(crop_padding=4, flip=True, cutout=8),
)
"""For photographs of 32 pixels a side."""

_BOTH = ("mixer", "vit")

STUDIES: dict[str, StudySpec] = {
    spec.name: spec
    for spec in (
        StudySpec(
            name="mixer_digits",
            dataset="digits",
            families=_BOTH,
            trials=12,
            baselines=2,
            max_flops=4_000_000,
            recipe=Recipe(epochs=40, batch_size=64, learning_rate=2e-2),
        ),
        StudySpec(
            name="mixer_cifar",
            dataset="cifar10",
            families=_BOTH,
            trials=120,
            baselines=3,
            max_flops=400_000_000,
            recipe=_NATURAL.model_copy(update={"epochs": 40}),
        ),
        StudySpec(
            name="mixer_cifar_cpu",
            dataset="cifar10",
            families=_BOTH,
            trials=40,
            baselines=3,
            max_flops=10_000_000,
            recipe=_NATURAL.model_copy(update={"epochs": 8}),
        ),
        StudySpec(
            name="mixer_cifar100",
            dataset="cifar100",
            families=_BOTH,
            trials=120,
            baselines=3,
            max_flops=400_000_000,
            recipe=_NATURAL.model_copy(update={"epochs": 60}),
        ),
        StudySpec(
            name="mixer_fashion",
            dataset="fashion_mnist",
            families=_BOTH,
            trials=80,
            baselines=3,
            max_flops=100_000_000,
            recipe=Recipe(
                epochs=25,
                batch_size=256,
                label_smoothing=0.1,
                augmentation=Augmentation(crop_padding=2, flip=True),
            ),
        ),
        StudySpec(
            name="mixer_smoke",
            dataset="digits",
            trials=3,
            baselines=1,
            max_flops=1_000_000,
            recipe=Recipe(epochs=2, batch_size=64, learning_rate=3e-3),
            space={
                "mixer": MixerRanges(
                    patch_size=(2, 4),
                    hidden_dim=(8, 16, 32),
                    tokens_mlp_dim=(8, 16),
                    channels_mlp_dim=(16, 32),
                    num_blocks=(1,),
                )
            },
        ),
    )
}


_OPTIONS: dict[tuple[int | str, ...], str] = {
    ("name",): "--study-name",
    ("recipe", "epochs"): "--epochs",
    ("max_cost",): "--max-cost",
    **{
        (field,): f"--{field.replace('_', '-')}"
        for field in (
            *("trials", "seed", "seeds", "min_accuracy", "train_limit", "sampler"),
            "warm_start",
        )
    },
}
"""What sets a field from the command line."""


def with_changes(
    spec: StudySpec, assigned: Mapping[tuple[str, ...], Any] = MappingProxyType({}), **changes: Any
) -> StudySpec:
    """The study with the fields replaced that are not None.

    `epochs` stands for the recipe's, `skip_broken` for that of `data`.

    Args:
        spec: the study.
        assigned: any fields, by their path, as `search.spec.assignments` reads them; they win.
        changes: fields of the study itself.

    Raises:
        StudyError: a value is not allowed; the sentence names the option of `search.run`.
    """
    fields = spec.model_dump()
    epochs = changes.get("epochs")
    if epochs is not None:
        fields["recipe"]["epochs"] = epochs
    if changes.get("skip_broken"):
        fields["data"]["skip_broken"] = True
    changes = {
        k: v for k, v in changes.items() if v is not None and k not in {"epochs", "skip_broken"}
    }
    if changes.get("cost", spec.cost) == FLOPS.name and changes.keys() & {"max_cost", "max_flops"}:
        fields |= {"max_cost": None, "max_flops": None}  # one limit, by whichever of its names
    if changes.get("cost", spec.cost) != spec.cost:
        fields["max_cost"] = None  # it was of another cost
    fields |= changes
    searched = assigned.get(("families",), fields["families"])
    if "space" not in changes and isinstance(searched, list | tuple):
        fields["space"] = {k: v for k, v in fields["space"].items() if k in searched}
    for path, value in assigned.items():
        table = fields
        for step in path[:-1]:
            table = table.setdefault(step, {})
        table[path[-1]] = value
    options = _OPTIONS | {path: f"--set {'.'.join(path)}" for path in assigned}
    try:
        return StudySpec.model_validate(fields)
    except pydantic.ValidationError as error:
        faults = dict.fromkeys(
            explain_one(found, options.get(found["loc"])) for found in error.errors()
        )
        raise StudyError("; ".join(faults)) from None
