"""The recipe: how every network of a study is trained, Mixers and ViTs alike."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from space.config import Frozen

Fraction = Annotated[float, Field(ge=0, lt=1)]
NotNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]

Optimizer = Literal["adamw", "sgd", "muon"]
Schedule = Literal["cosine", "linear", "constant"]


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
    rotate: Annotated[float, Field(ge=0, le=180)] = 0.0
    """Most degrees an image is rotated by, either way."""
    shear: Fraction = 0.0
    """Most pixels that a row moves a pixel of height, and a column a pixel of width, either way."""
    translate: Fraction = 0.0
    """Most of its side that an image is moved by, either way, down and across."""
    brightness: Fraction = 0.0
    """Most that all pixels are darkened or brightened by, as a share of their value."""
    contrast: Fraction = 0.0
    """Most that the distance to the image's mean grey is reduced or enlarged by, as a share."""
    saturation: Fraction = 0.0
    """Most that colours' distance to grey is reduced or enlarged by, as a share; nothing to grey
    images."""

    @property
    def is_random(self) -> bool:
        """Whether anything is changed at all."""
        return self != Augmentation()

    @property
    def is_affine(self) -> bool:
        """Whether images are rotated, sheared or moved."""
        return any((self.rotate, self.shear, self.translate))

    @property
    def changes_colour(self) -> bool:
        """Whether brightness, contrast or saturation vary."""
        return any((self.brightness, self.contrast, self.saturation))


class Recipe(Frozen):
    """An optimiser, the schedule of its learning rate, and what surrounds them.

    By default AdamW with warm-up and cosine decay to zero.
    """

    epochs: PositiveInt = 30
    batch_size: PositiveInt = 128
    learning_rate: Positive = 1e-3
    """At the peak, after the warm-up."""
    warmup: Fraction = 0.1
    """Share of all steps in which the learning rate climbs from zero."""
    weight_decay: NotNegative = 0.05
    """On kernels only: not on biases, norms, position embeddings or class tokens. Decoupled from
    the gradient and multiplied by the learning rate, with every optimiser."""
    label_smoothing: Fraction = 0.0
    clip_norm: Positive = 1.0
    """Global norm gradients are clipped to; a large one, such as 1e9, clips nothing."""
    optimizer: Optimizer = "adamw"
    """`sgd` with Nesterov momentum, which wants a larger learning rate; `muon` for the matrices of
    blocks, AdamW for the rest: see `search.train.optimizer`."""
    schedule: Schedule = "cosine"
    """From the peak of the learning rate on: half a cosine or a line down to zero, or no change."""
    ema: Fraction = 0.0
    """Decay a step of an exponential moving average of the weights, which is then what is validated
    and kept; 0 for none."""
    freeze: bool = False
    """Whether only the head learns, on features of weights that were trained before: a linear
    probe."""
    augmentation: Augmentation = Augmentation()


def steps_per_epoch(batch_size: int, num_train: int) -> int:
    """Whole batches in the training set.

    The images beyond the last whole batch sit an epoch out, other ones each time, so that every
    step has one shape.
    """
    return num_train // batch_size
