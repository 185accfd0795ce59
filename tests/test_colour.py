"""Brightness, contrast and saturation, held against Pillow and against a loop over pixels."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageEnhance

from search import data as data_sets
from search.spec.recipe import Augmentation, Recipe
from search.train.colour import brighten, change_contrast, saturate, vary_colour
from search.train.device_data import DeviceData, put
from search.train.epoch import initial_state, shuffle
from search.train.optimizer import hyper_of
from search.train.program import compile_program
from space.config import MixerConfig

KEY = jax.random.key(5)


def photographs(batch: int = 12, channels: int = 3) -> np.ndarray:
    """Patches of colour with some noise."""
    rng = np.random.default_rng(0)
    patches = rng.integers(0, 256, (batch, 2, 2, channels)).repeat(4, 1).repeat(4, 2)
    noisy = patches + rng.normal(0, 15, patches.shape)
    return noisy.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("change", "enhancer"),
    [
        (brighten, ImageEnhance.Brightness),
        (change_contrast, ImageEnhance.Contrast),
        (saturate, ImageEnhance.Color),
    ],
)
def test_each_is_what_pillow_makes_of_the_image(
    change: Callable[[jax.Array, jax.Array], jax.Array],
    enhancer: Callable[[Image.Image], ImageEnhance.Brightness],
    channels: int,
) -> None:
    """Which rounds what it draws towards, and its result."""
    pixels = photographs(channels=channels)
    factors = np.linspace(0.3, 1.7, len(pixels)).astype(np.float32)
    got = np.asarray(change(jnp.asarray(pixels, jnp.float32), jnp.asarray(factors)))
    for image, factor, mine in zip(pixels, factors, got, strict=True):
        theirs = enhancer(Image.fromarray(image.squeeze())).enhance(float(factor))
        np.testing.assert_allclose(mine.squeeze(), np.asarray(theirs), atol=1.5)


def test_all_three_together_are_what_a_loop_over_pixels_makes() -> None:
    """In the order brightness, contrast, saturation, each cut to 0 to 255."""
    how = Augmentation(brightness=0.4, contrast=0.5, saturation=0.6)
    pixels = photographs().astype(np.float64)
    got = np.asarray(vary_colour(jnp.asarray(pixels, jnp.float32), KEY, how))
    keys = jax.random.split(KEY, 3)
    factors = np.stack(
        [
            1 + strength * np.asarray(jax.random.uniform(key, (12,), minval=-1, maxval=1))
            for strength, key in zip((0.4, 0.5, 0.6), keys, strict=True)
        ]
    )

    def luma(pixel: np.ndarray) -> float:
        return 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2]

    for i, image in enumerate(pixels):
        brightness, contrast, saturation = factors[:, i]
        flat = [np.clip(brightness * pixel, 0, 255) for pixel in image.reshape(-1, 3)]
        mean = sum(map(luma, flat)) / len(flat)
        flat = [np.clip(mean + contrast * (pixel - mean), 0, 255) for pixel in flat]
        flat = [np.clip(luma(p) + saturation * (p - luma(p)), 0, 255) for p in flat]
        np.testing.assert_allclose(got[i].reshape(-1, 3), flat, atol=2e-2)


def test_factors_are_uniform_to_both_sides_up_to_what_was_asked() -> None:
    pixels = jnp.full((4000, 1, 1, 1), 100, jnp.uint8)
    factors = np.asarray(vary_colour(pixels, KEY, Augmentation(brightness=0.4)))[:, 0, 0, 0] / 100
    quarters = np.histogram(factors, bins=4, range=(0.6, 1.4))[0]
    assert quarters.sum() == 4000
    assert 850 < quarters.min() <= quarters.max() < 1150


def test_without_strength_nothing_changes_and_equal_keys_give_equal_images() -> None:
    pixels = jnp.asarray(photographs())
    np.testing.assert_array_equal(vary_colour(pixels, KEY, Augmentation()), pixels)
    how = Augmentation(brightness=0.2, contrast=0.2, saturation=0.2)
    one, again, other = (vary_colour(pixels, key, how) for key in (KEY, KEY, jax.random.key(6)))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_training_sees_the_colours_it_asks_for_and_validation_does_not() -> None:
    """Whose losses tell: a network of random weights has another loss for every other image."""
    data = put(data_sets.load("digits", train_limit=96), jax.devices()[0])
    config = MixerConfig(
        image_size=8,
        image_channels=1,
        num_classes=10,
        patch_size=4,
        hidden_dim=8,
        num_blocks=1,
        tokens_mlp_dim=4,
        channels_mlp_dim=8,
    )
    plain = first_epoch(config, data, Recipe(epochs=1, batch_size=32))
    varied = Recipe(
        epochs=1, batch_size=32, augmentation=Augmentation(brightness=0.9, contrast=0.9)
    )
    changed = first_epoch(config, data, varied)
    assert changed["train_loss"] != plain["train_loss"]
    assert changed["untrained"] == plain["untrained"]


def first_epoch(config: MixerConfig, data: DeviceData, recipe: Recipe) -> dict[str, float]:
    """Its training loss, and the validation loss of a random head without training."""
    program = compile_program(config, recipe, data, jnp.float32)
    hyper = hyper_of(recipe, 3)
    order, keys = shuffle(jax.random.key(0)[None], jnp.int32(1), num_train=data.num_train)
    found = {}
    for learn in (False, True):
        state = initial_state(config, [0], recipe)
        rng = np.random.default_rng(0)
        state.params["head"]["kernel"][:] = rng.normal(size=state.params["head"]["kernel"].shape)
        on_device = jax.device_put(state, may_alias=False)
        _, metrics = program.epoch(on_device, data, hyper, order, keys, jnp.bool(learn))
        name = "train_loss" if learn else "untrained"
        found[name] = float((metrics.train_loss if learn else metrics.validation_loss)[0])
    return found
