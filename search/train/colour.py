"""Brightness, contrast and saturation of images, as Pillow's `ImageEnhance` has them."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from search.spec.recipe import Augmentation

_LUMA = (0.299, 0.587, 0.114)
"""Of red, green and blue (ITU-R BT.601)."""


def vary_colour(pixels: jax.Array, key: jax.Array, how: Augmentation) -> jax.Array:
    """Every image by factors of its own, uniform in 1 - strength to 1 + strength.

    Args:
        pixels: [batch, size, size, channels], 0 to 255, not normalised.
        key: of the step.
        how: the strengths.

    Returns:
        float32, 0 to 255.
    """
    keys = jax.random.split(key, 3)
    strengths = (how.brightness, how.contrast, how.saturation)
    brightness, contrast, saturation = (
        jax.random.uniform(key, pixels.shape[:1], minval=1 - strength, maxval=1 + strength)
        for key, strength in zip(keys, strengths, strict=True)
    )
    images = pixels.astype(jnp.float32)
    if how.brightness:
        images = brighten(images, brightness)
    if how.contrast:
        images = change_contrast(images, contrast)
    if how.saturation:
        images = saturate(images, saturation)
    return images


def brighten(images: jax.Array, factors: jax.Array) -> jax.Array:
    """Away from black by a factor [batch] an image; 0 to 255 before and after."""
    return _away(jnp.zeros_like(images[:, :1, :1, :1]), images, factors)


def change_contrast(images: jax.Array, factors: jax.Array) -> jax.Array:
    """Away from the image's mean luma by a factor [batch]; 0 to 255 before and after."""
    return _away(jnp.mean(_grey(images), axis=(1, 2), keepdims=True), images, factors)


def saturate(images: jax.Array, factors: jax.Array) -> jax.Array:
    """Away from every pixel's luma by a factor [batch]; 0 to 255 before and after."""
    return _away(_grey(images), images, factors)


def _grey(images: jax.Array) -> jax.Array:
    """[batch, size, size, 1]"""
    if images.shape[-1] == 1:
        return images
    return jnp.sum(images * jnp.array(_LUMA)[None, None, None], axis=-1, keepdims=True)


def _away(origin: jax.Array, images: jax.Array, factors: jax.Array) -> jax.Array:
    factor = factors[:, None, None, None]
    return jnp.clip(origin + factor * (images - origin), 0, 255)
