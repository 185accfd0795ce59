"""Random changes to a batch of training images, on the device, inside the training step.

Every function takes images [batch, size, size, channels] that are normalised already, so that 0
is the mean colour, and a key; equal keys give equal results.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from search.spec.recipe import Augmentation
from search.train.affine import vary_place

AFFINE, COLOUR = 4, 5
"""What is folded into a step's key for these changes: 0 to 3 would give keys that the others have,
since `split(key, 4)[i]` is `fold_in(key, i)`."""


class Mixed(NamedTuple):
    """A batch whose images may be mixtures of two: `share` of the first label, the rest second."""

    images: jax.Array
    first: jax.Array
    second: jax.Array
    share: jax.Array


def augment(images: jax.Array, labels: jax.Array, key: jax.Array, how: Augmentation) -> Mixed:
    """Applies what the recipe asks for: crop, flip, affine change, cutout, then mixup or CutMix.

    Not what changes colours: see `search.train.colour`.
    """
    if not how.is_random:
        return Mixed(images, labels, labels, jnp.float32(1))
    crop_key, flip_key, cutout_key, mix_key = jax.random.split(key, 4)
    if how.crop_padding:
        images = pad_and_crop(images, crop_key, how.crop_padding)
    if how.flip:
        images = flip(images, flip_key)
    if how.is_affine:
        images = vary_place(images, jax.random.fold_in(key, AFFINE), how)
    if how.cutout:
        images = cutout(images, cutout_key, how.cutout)
    if how.mixup_alpha and how.cutmix_alpha:
        choice_key, mix_key = jax.random.split(mix_key)
        mixed: Mixed = jax.lax.cond(
            jax.random.bernoulli(choice_key),
            lambda: mixup(images, labels, mix_key, how.mixup_alpha),
            lambda: cutmix(images, labels, mix_key, how.cutmix_alpha),
        )
        return mixed
    if how.mixup_alpha:
        return mixup(images, labels, mix_key, how.mixup_alpha)
    if how.cutmix_alpha:
        return cutmix(images, labels, mix_key, how.cutmix_alpha)
    return Mixed(images, labels, labels, jnp.float32(1))


def pad_and_crop(images: jax.Array, key: jax.Array, padding: int) -> jax.Array:
    """Each image shifted by up to `padding` pixels each way, the border filled with the mean."""
    batch, size, _, channels = images.shape
    border = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    padded = jnp.pad(images, border)
    corners = jax.random.randint(key, (batch, 2), 0, 2 * padding + 1)

    def crop(image: jax.Array, corner: jax.Array) -> jax.Array:
        return jax.lax.dynamic_slice(image, (corner[0], corner[1], 0), (size, size, channels))

    return jax.vmap(crop)(padded, corners)


def flip(images: jax.Array, key: jax.Array) -> jax.Array:
    """Every image mirrored left to right with probability one half."""
    mirrored = jax.random.bernoulli(key, shape=(images.shape[0], 1, 1, 1))
    return jnp.where(mirrored, images[:, :, ::-1], images)


def cutout(images: jax.Array, key: jax.Array, side: int) -> jax.Array:
    """A square of `side` pixels around a random pixel set to the mean; it may overhang."""
    batch, size, _, _ = images.shape
    centres = jax.random.randint(key, (batch, 2), 0, size)
    inside = _box(centres - side // 2, jnp.full((batch, 2), side), size)
    return jnp.where(inside, 0.0, images)


def mixup(images: jax.Array, labels: jax.Array, key: jax.Array, alpha: float) -> Mixed:
    """Each image blended with another of the batch, one share for the whole batch."""
    share_key, order_key = jax.random.split(key)
    share = jax.random.beta(share_key, alpha, alpha)
    order = jax.random.permutation(order_key, images.shape[0])
    blended = share * images + (1 - share) * images[order]
    return Mixed(blended.astype(images.dtype), labels, labels[order], share)


def cutmix(images: jax.Array, labels: jax.Array, key: jax.Array, alpha: float) -> Mixed:
    """A rectangle of each image replaced by another's; the share is the area that stayed."""
    share_key, order_key, centre_key = jax.random.split(key, 3)
    size = images.shape[1]
    side = size * jnp.sqrt(1 - jax.random.beta(share_key, alpha, alpha))
    centre = jax.random.randint(centre_key, (1, 2), 0, size)
    low = jnp.clip(centre - side / 2, 0, size).astype(jnp.int32)
    high = jnp.clip(centre + side / 2, 0, size).astype(jnp.int32)
    order = jax.random.permutation(order_key, images.shape[0])
    inside = _box(low, high - low, size)
    share = 1 - jnp.mean(inside, dtype=jnp.float32)
    return Mixed(jnp.where(inside, images[order], images), labels, labels[order], share)


def _box(low: jax.Array, sides: jax.Array, size: int) -> jax.Array:
    """Boolean [n, size, size, 1]: inside the rectangle at `low` [n, 2] with `sides` [n, 2]."""
    pixel = jnp.arange(size)[None, None]
    inside = (pixel >= low[:, :, None]) & (pixel < (low + sides)[:, :, None])  # n, 2, size
    return (inside[:, 0, :, None] & inside[:, 1, None, :])[..., None]
