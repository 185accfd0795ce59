"""The specification of a fine-tuning: a preset's weights, another data set, the official recipe.

SGD with Nesterov momentum 0.9, a cosine after a short warm-up, gradients clipped to norm 1, no
decay, the head from zero: google-research/vision_transformer, with fewer steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pydantic

from search.spec.data_spec import DataSpec
from search.spec.recipe import Augmentation, Recipe
from search.spec.rungs import NO_RUNGS
from search.spec.studies import StartFrom, StudyError, StudySpec
from space.errors import explain
from space.presets import Preset

FinetuningOptimizer = Literal["sgd", "adamw"]

RATES: dict[str, tuple[float, ...]] = {
    "sgd": (0.003, 0.01, 0.03, 0.1),
    "adamw": (3e-4, 1e-3, 3e-3, 1e-2),
}
"""Learning rates that are tried, by optimiser."""


def finetuning_spec(
    preset: Preset,
    dataset: str,
    *,
    image_size: int | None = None,
    tokens: Literal["strided", "tiles"] | None = None,
    optimizer: FinetuningOptimizer = "sgd",
    freeze: bool = False,
) -> StudySpec:
    """The study that fine-tunes a preset: 10 epochs, one seed, images converted to its size.

    Images are changed at random as they were when the preset was trained; not where only the head
    learns.

    Args:
        preset: with weights.
        dataset: as a study file names it.
        image_size: of the images that the network is enlarged to; None: the preset's.
        tokens: how it is enlarged to more tokens: see `space.expansion`; None: by larger patches.
        optimizer: `sgd` or `adamw`.
        freeze: whether only the head learns: a linear probe.

    Raises:
        WeightsError: the preset has no weights, or their file is missing or damaged.
        StudyError: `tokens` are asked for and no other image size.
    """
    preset.weights()
    assert preset.trained is not None, "its weights were read"
    if tokens is not None and image_size in {None, preset.config.image_size}:
        raise StudyError(
            f"--tokens {tokens}: a network is expanded to more tokens for larger images, and no "
            "other image size is asked for; add --image-size N, or leave --tokens out"
        )
    if tokens not in {None, "strided", "tiles"}:
        raise StudyError(f"--tokens {tokens}: there is strided, tiles; choose one, or leave it out")
    if optimizer not in RATES:
        raise StudyError(f"--optimizer {optimizer}: there is {', '.join(RATES)}; choose one")
    size = preset.config.image_size if image_size is None else image_size
    if size < preset.config.image_size:
        raise StudyError(
            f"--image-size {size}: preset {preset.name!r} takes images of "
            f"{preset.config.image_size} pixels a side, and a network can only be enlarged; give "
            "more, or leave it out, and images are converted to its size"
        )
    try:
        data = DataSpec(image_size=size, resize=preset.trained.resize)
    except pydantic.ValidationError as error:
        raise StudyError(f"--image-size {size}: {explain(error)}") from None
    return StudySpec(
        name="new",
        dataset=dataset,
        families=(preset.config.family,),
        data=data,
        recipe=Recipe(
            epochs=10,
            batch_size=128,
            learning_rate=RATES[optimizer][0],
            warmup=0.05,
            weight_decay=0.0,
            optimizer=optimizer,
            freeze=freeze,
            augmentation=Augmentation() if freeze else _augmentation_of(preset),
        ),
        trials=0,
        baselines=0,
        rungs=NO_RUNGS,
        start_from=StartFrom(
            preset=preset.name,
            sha256=preset.trained.sha256,
            image_size=preset.config.image_size,
            tokens=tokens,
        ),
    )


def checked_rates(rates: Sequence[float]) -> tuple[float, ...]:
    """Learning rates, the lowest first, none twice.

    Raises:
        StudyError: there are none, or one is not above 0.
    """
    found = tuple(sorted(set(rates)))
    if not found or not found[0] > 0 or not found[-1] < float("inf"):
        asked = ", ".join(f"{rate:g}" for rate in rates) or "none"
        raise StudyError(f"--rates {asked}: give one or more learning rates above 0, as 0.01,0.03")
    return found


def _augmentation_of(preset: Preset) -> Augmentation:
    """By which the preset's images were changed; none where that is not known here."""
    recipe = preset.source.get("recipe")
    try:
        return Augmentation.model_validate((recipe or {}).get("augmentation", {}))
    except (pydantic.ValidationError, AttributeError):
        return Augmentation()
