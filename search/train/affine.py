"""Images rotated, sheared and moved at once: one matrix an image, one read a pixel."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from search.spec.recipe import Augmentation


def vary_place(images: jax.Array, key: jax.Array, how: Augmentation) -> jax.Array:
    """Every image [batch, size, size, channels] by a transformation of its own, uniformly drawn.

    The border is filled with 0, the mean colour.
    """
    matrices, shifts = draw_transformations(key, images.shape[0], how)
    return transform(images, matrices, shifts * images.shape[1])


def draw_transformations(
    key: jax.Array, count: int, how: Augmentation
) -> tuple[jax.Array, jax.Array]:
    """Where `transform` reads: a rotation after a shear [count, 2, 2], and shifts [count, 2].

    Shifts are shares of an image's side.
    """
    keys = jax.random.split(key, 3)
    (angle,) = jnp.deg2rad(how.rotate) * _uniform(keys[0], 1, count)
    down, across = how.shear * _uniform(keys[1], 2, count)
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    rotation = jnp.array([[cos, -sin], [sin, cos]])  # 2, 2, count
    shear = jnp.array([[jnp.ones(count), down], [across, jnp.ones(count)]])
    matrices = jnp.sum(rotation[:, :, None] * shear[None], axis=1)
    return jnp.moveaxis(matrices, -1, 0), how.translate * _uniform(keys[2], 2, count).T


def transform(images: jax.Array, matrices: jax.Array, shifts: jax.Array) -> jax.Array:
    """Images as read at `matrix @ (place - centre) + shift + centre`, the nearest pixel; 0 outside.

    The nearest, as RandAugment (Cubuk et al. 2020) has it in torchvision. Interpolation would read
    four pixels in place of one, and blur training images while those of validation are sharp.

    Args:
        images: [batch, size, size, channels]
        matrices: [batch, 2, 2], rows and columns in this order.
        shifts: [batch, 2], in pixels, rows and columns.
    """
    batch, size, _, channels = images.shape
    centre = (size - 1) / 2
    row = (jnp.arange(size) - centre)[None, :, None]
    column = (jnp.arange(size) - centre)[None, None, :]

    def nearest(axis: int) -> jax.Array:
        m = matrices[:, axis, :, None, None]  # products, not `@`: on a GPU that would round
        place = m[:, 0] * row + m[:, 1] * column + shifts[:, axis, None, None]
        return jnp.floor(place + (centre + 0.5)).astype(jnp.int32)  # batch, size, size

    y, x = nearest(0), nearest(1)
    inside = (y >= 0) & (y < size) & (x >= 0) & (x < size)
    where = jnp.where(inside, y * size + x, size * size).reshape(batch, -1)

    def read(pixels: jax.Array, where: jax.Array) -> jax.Array:
        return pixels.at[where].get(mode="fill", fill_value=0)

    return jax.vmap(read)(images.reshape(batch, -1, channels), where).reshape(images.shape)


def _uniform(key: jax.Array, *shape: int) -> jax.Array:
    return jax.random.uniform(key, shape, minval=-1.0, maxval=1.0)
