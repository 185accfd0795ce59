"""Weights and images for networks that were never trained: no array is zero, no two are alike."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
import numpy.typing as npt

from search.train.predict import logits_of
from space.config import Config, ImageTask, MixerConfig, ViTConfig
from space.init import initial_params
from space.presets import Preset, Trained, save
from space.weights_file import weights_bytes


class OtherConfig(Config):
    """Of a family that nothing here computes."""

    family: Literal["other"] = "other"


def drawn_params(config: Config, seed: int = 0) -> dict[str, Any]:
    """What a training might leave: as at the start, and noise on every number."""
    rng = np.random.default_rng(seed)

    def moved(leaf: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return leaf + (0.1 * rng.standard_normal(leaf.shape)).astype(np.float32)

    tree: dict[str, Any] = jax.tree.map(moved, initial_params(config, seed))
    return tree


def trained_preset(config: Config, params: dict[str, Any], name: str = "winner") -> Preset:
    """A preset of these weights, of which the pixels of no channel are like another's."""
    content, channels = weights_bytes(params, {"family": config.family}), config.image_channels
    trained = Trained(
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        pixel_mean=(125.3, 122.9, 113.8)[:channels],
        pixel_std=(62.9, 62.0, 66.7)[:channels],
        class_names=tuple(f"class {label}" for label in range(config.num_classes)),
    )
    return Preset.of(name, config, {}, trained)


def trained_folder(folder: Path, config: Config, params: dict[str, Any]) -> Preset:
    """The same as a folder."""
    folder.mkdir(parents=True)
    preset = trained_preset(config, params, folder.name)
    facts = {"family": config.family}
    (folder / "model.safetensors").write_bytes(weights_bytes(params, facts))
    save(preset, folder / "preset.json")
    return preset


def drawn_images(task: ImageTask, count: int = 5, seed: int = 0) -> npt.NDArray[np.uint8]:
    """[count, size, size, channels]"""
    shape = (count, task.image_size, task.image_size, task.image_channels)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def flax_logits(
    preset: Preset, params: dict[str, Any], images: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float32]:
    """What the network itself makes of images."""
    assert preset.trained
    moments = preset.trained.pixel_mean, preset.trained.pixel_std
    return logits_of(preset.config, params, images, *moments, jax.devices("cpu")[0])


def drawn_config(family: str, rng: np.random.Generator) -> Config:
    """A small one; channels in grey and colour, widths that divide nothing evenly."""
    patch, grid, heads = (int(rng.integers(1, 5)) for _ in range(3))
    common = {
        "image_size": patch * grid,
        "image_channels": int(rng.choice([1, 3])),
        "num_classes": int(rng.integers(2, 12)),
        "patch_size": patch,
        "hidden_dim": heads * int(rng.integers(4, 12)),
        "num_blocks": int(rng.integers(1, 3)),
    }
    one, other = (int(rng.integers(4, 70)) for _ in range(2))
    if family == "mixer":
        return MixerConfig(**common, tokens_mlp_dim=one, channels_mlp_dim=other)
    classifier = str(rng.choice(["token", "gap"]))
    return ViTConfig.model_validate(
        {**common, "mlp_dim": one, "num_heads": heads, "classifier": classifier}
    )
