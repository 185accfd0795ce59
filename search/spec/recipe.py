"""The recipe: how every network of a study is trained, Mixers and ViTs alike."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveInt

from space.config import Frozen

Fraction = Annotated[float, Field(ge=0, lt=1)]
NotNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


class Augmentation(Frozen):
    """Random changes to training images, made on the device. All off by default."""

    crop_padding: Annotated[int, Field(ge=0)] = 0
    """Pixels of border added all around before a random crop back to size."""
    flip: bool = False
    """Mirrors every second image, left to right. Not for digits or letters."""
    cutout: Annotated[int, Field(ge=0)] = 0
    """Side of a square blanked out at random (DeVries & Taylor 2017); 0 for none."""
    mixup_alpha: NotNegative = 0.0
    """Beta parameter of mixup (Zhang et al. 2018); 0 for none."""
    cutmix_alpha: NotNegative = 0.0
    """Beta parameter of CutMix (Yun et al. 2019); 0 for none. With mixup too: one a batch."""

    @property
    def is_random(self) -> bool:
        """Whether anything is changed at all."""
        return self != Augmentation()


class Recipe(Frozen):
    """AdamW with warm-up and cosine decay to zero, and what surrounds it."""

    epochs: PositiveInt = 30
    batch_size: PositiveInt = 128
    learning_rate: Positive = 1e-3
    """At the peak, after the warm-up."""
    warmup: Fraction = 0.1
    """Share of all steps in which the learning rate climbs from zero."""
    weight_decay: NotNegative = 0.05
    """On kernels only: not on biases, norms, position embeddings or class tokens."""
    label_smoothing: Fraction = 0.0
    clip_norm: Positive = 1.0
    """Global norm gradients are clipped to; a large one, such as 1e9, clips nothing."""
    augmentation: Augmentation = Augmentation()


def steps_per_epoch(batch_size: int, num_train: int) -> int:
    """Whole batches in the training set.

    The images beyond the last whole batch sit an epoch out, other ones each time, so that every
    step has one shape.
    """
    return num_train // batch_size
