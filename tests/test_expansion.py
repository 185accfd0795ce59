"""Trained networks at larger images: identities that hold for any weights and any images."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import jax
import numpy as np
import pytest
import scipy.ndimage
from records import CIFAR, DIGITS, mixer, vit

from space.build import build
from space.config import Config, ImageTask, MixerConfig
from space.cost import cost
from space.expansion import ImageSizeError, Tokens, enlarge_patch, expand
from space.init import param_shapes
from space.weights_file import size_of

RGB = ImageTask(image_size=12, image_channels=3, num_classes=4)
MIXERS = [mixer(), mixer(RGB, patch_size=4, tokens_mlp_dim=5)]
VITS = [vit(), vit(RGB, patch_size=4, classifier="gap"), vit(patch_size=8)]


def random_params(config: Config) -> dict[str, Any]:
    """Of the size that trained ones have, none of them zero."""
    rng = np.random.default_rng(3)
    return jax.tree.map(  # type: ignore[no-any-return]
        lambda leaf: rng.normal(0, 0.3, leaf.shape).astype(np.float32), param_shapes(config)
    )


def images_of(config: Config, count: int, image_size: int | None = None) -> np.ndarray:
    size = image_size or config.image_size
    rng = np.random.default_rng(5)
    return rng.normal(size=(count, size, size, config.image_channels)).astype(np.float32)


def logits(config: Config, params: dict[str, Any], images: np.ndarray) -> np.ndarray:
    return np.asarray(build(config).apply({"params": params}, images))


def patches_of(images: np.ndarray, patch_size: int) -> np.ndarray:
    """[images, row, column, p, p, channels]"""
    count, size, _, channels = images.shape
    grid = size // patch_size
    cut = images.reshape(count, grid, patch_size, grid, patch_size, channels)
    return cut.transpose(0, 1, 3, 2, 4, 5)


def joined(patches: np.ndarray) -> np.ndarray:
    """The images that these are the patches of."""
    count, grid, _, size, _, channels = patches.shape
    return patches.transpose(0, 1, 3, 2, 4, 5).reshape(count, grid * size, grid * size, channels)


def seen_by_the_copies(
    images: np.ndarray, config: MixerConfig, ratio: int, tokens: Tokens
) -> list[np.ndarray]:
    """The K^2 small images of which each large one is made."""
    if tokens == "tiles":
        size = config.image_size
        return [
            images[:, y * size : (y + 1) * size, x * size : (x + 1) * size]
            for y in range(ratio)
            for x in range(ratio)
        ]
    patches = patches_of(images, config.patch_size)
    return [joined(patches[:, y::ratio, x::ratio]) for y in range(ratio) for x in range(ratio)]


@pytest.mark.parametrize("tokens", ["strided", "tiles"])
@pytest.mark.parametrize(("config", "ratio"), [(MIXERS[0], 2), (MIXERS[1], 3)])
def test_an_expanded_mixer_gives_the_mean_of_what_the_small_one_says_of_its_parts(
    config: MixerConfig, ratio: int, tokens: Tokens
) -> None:
    params = random_params(config)
    larger, expanded = expand(config, params, ratio * config.image_size, tokens)
    images = images_of(config, 3, larger.image_size)
    parts = seen_by_the_copies(images, config, ratio, tokens)
    small = logits(config, params, np.concatenate(parts)).reshape(len(parts), 3, -1).mean(axis=0)
    assert np.ptp(small, axis=0).max() > 0.01
    np.testing.assert_allclose(logits(larger, expanded, images), small, atol=2e-5)


@pytest.mark.parametrize("config", MIXERS)
def test_an_expanded_mixer_sees_the_small_image_in_one_whose_patches_are_repeated(
    config: MixerConfig,
) -> None:
    params = random_params(config)
    larger, expanded = expand(config, params, 2 * config.image_size)
    images = images_of(config, 3)
    patches = patches_of(images, config.patch_size)
    repeated = joined(patches.repeat(2, axis=1).repeat(2, axis=2))
    np.testing.assert_allclose(
        logits(larger, expanded, repeated), logits(config, params, images), atol=2e-5
    )


def shrunk(patches: np.ndarray, patch_size: int) -> np.ndarray:
    """By the transpose of JAX's own bilinear enlargement, and the ratio of the areas."""
    size = patches.shape[-2]

    def enlarge(patch: jax.Array) -> jax.Array:
        return jax.image.resize(patch, (size, size, patch.shape[2]), "bilinear")

    channels = patches.shape[-1]
    small = jax.ShapeDtypeStruct((patch_size, patch_size, channels), np.float32)
    transpose = jax.linear_transpose(enlarge, small)
    flat = jax.vmap(lambda patch: transpose(patch)[0])(patches.reshape(-1, size, size, channels))
    found = np.asarray(flat).reshape(*patches.shape[:3], patch_size, patch_size, channels)
    return found * (patch_size / size) ** 2


@pytest.mark.parametrize(
    ("config", "image_size"),
    [(mixer(), 16), (mixer(RGB, patch_size=4), 15), (vit(), 24)],
    ids=lambda value: value if isinstance(value, int) else value.family,
)
def test_larger_patches_say_what_the_small_ones_say_of_the_image_shrunk_patch_by_patch(
    config: Config, image_size: int
) -> None:
    params = random_params(config)
    larger, enlarged = enlarge_patch(config, params, image_size)
    images = images_of(config, 3, image_size)
    small = joined(shrunk(patches_of(images, larger.patch_size), config.patch_size))
    np.testing.assert_allclose(
        logits(larger, enlarged, images), logits(config, params, small), atol=2e-5
    )


@pytest.mark.parametrize(("config", "ratio"), [(mixer(), 2), (vit(RGB, patch_size=4), 3)])
def test_larger_patches_of_one_colour_each_are_the_small_image(config: Config, ratio: int) -> None:
    params = random_params(config)
    larger, enlarged = enlarge_patch(config, params, ratio * config.image_size)
    grid = config.image_size // config.patch_size
    colours = images_of(config, 3, grid)
    small, large = (
        colours.repeat(side, axis=1).repeat(side, axis=2)
        for side in (config.patch_size, larger.patch_size)
    )
    np.testing.assert_allclose(
        logits(larger, enlarged, large), logits(config, params, small), atol=2e-5
    )


@pytest.mark.parametrize("config", VITS, ids=lambda config: config.classifier)
def test_position_embeddings_are_enlarged_as_vit_jax_does(config: Any) -> None:
    """vit_jax/checkpoint.py, load_pretrained: `scipy.ndimage.zoom(grid, zoom, order=1)`."""
    params = random_params(config)
    _, expanded = expand(config, params, 3 * config.image_size)
    old, new = (
        tree["Transformer"]["posembed_input"]["pos_embedding"] for tree in (params, expanded)
    )
    first = int(config.classifier == "token")
    np.testing.assert_array_equal(new[:, :first], old[:, :first])
    grid = config.image_size // config.patch_size
    zoomed = scipy.ndimage.zoom(old[0, first:].reshape(grid, grid, -1), (3, 3, 1), order=1)
    np.testing.assert_allclose(new[0, first:], zoomed.reshape(9 * grid**2, -1), atol=1e-6)


@pytest.mark.parametrize("carry", [enlarge_patch, expand])
@pytest.mark.parametrize("config", [*MIXERS, *VITS])
def test_a_network_carried_to_its_own_size_is_itself(config: Config, carry: Any) -> None:
    params = random_params(config)
    same, carried = carry(config, params, config.image_size)
    assert same == config
    jax.tree.map(np.testing.assert_array_equal, carried, params)


@pytest.mark.parametrize("carry", [enlarge_patch, expand])
@pytest.mark.parametrize("config", [*MIXERS, *VITS])
def test_the_arrays_are_those_of_the_new_configuration(config: Config, carry: Any) -> None:
    params = random_params(config)
    larger, carried = carry(config, params, 2 * config.image_size)
    assert larger.image_size == 2 * config.image_size
    shapes = jax.tree.map(lambda leaf: (leaf.shape, np.dtype(leaf.dtype)), carried)
    assert shapes == jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), param_shapes(larger))
    assert size_of(carried) == cost(larger).params
    jax.tree.map(np.testing.assert_array_equal, params, random_params(config))


@pytest.mark.parametrize(
    ("carry", "config", "image_size", "sentence"),
    [
        (enlarge_patch, mixer(CIFAR, patch_size=4), 60, "the 8 patches a side .*; use 56 or 64$"),
        (expand, mixer(CIFAR, patch_size=4), 48, "no multiple of the 32 pixels .* use 32 or 64,"),
        (expand, vit(CIFAR, patch_size=4), 50, "this ViT's patches of 4 pixels; use 48 or 52$"),
        (expand, mixer(DIGITS), 4, "less than the 8 pixels .* have the images enlarged to 8"),
        (enlarge_patch, vit(DIGITS), 4, "less than the 8 pixels"),
    ],
)
def test_a_size_that_cannot_be_is_refused_in_a_sentence(
    carry: Any, config: Config, image_size: int, sentence: str
) -> None:
    with pytest.raises(ImageSizeError, match=sentence):
        carry(config, {}, image_size)


def test_a_network_of_another_family_is_refused_in_a_sentence() -> None:
    with pytest.raises(ImageSizeError, match="family 'other' are not carried over"):
        expand(Other(**DIGITS.model_dump()), {}, 16)


class Other(Config):
    family: Any = "other"


def test_no_accelerator_stack_is_loaded() -> None:
    code = "import sys, space.expansion; print('jax' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
