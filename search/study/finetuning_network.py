"""The network that is fine-tuned: a preset's, with a head of zeros, enlarged where asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from search.protocol import StartWeights
from search.spec.studies import StudyError
from space.config import Config, ImageTask
from space.expansion import Tokens, enlarge_patch, expand
from space.presets import Preset
from space.weights_file import weights_bytes


def network_for(
    preset: Preset, task: ImageTask, dataset: str, tokens: Tokens | None = None
) -> tuple[Config, StartWeights]:
    """The configuration that is fine-tuned to a task, and what its trainings start from.

    A network for larger images keeps its tokens, by larger patches, unless `tokens` says how it is
    expanded to more of them: see `space.expansion`.

    Args:
        preset: with weights.
        task: of the images of the data set.
        dataset: its name, for sentences.
        tokens: of a larger image, which ones a copy of the network sees.

    Raises:
        WeightsError: the preset has no weights, or they are damaged.
        StudyError: it takes images of other channels.
        ConfigError: it cannot be carried over to images of that size.
    """
    config, params = preset.config, preset.params()
    assert preset.trained is not None, "its weights were read"
    if task.image_channels != config.image_channels:
        takes, has = (
            "grey images" if channels == 1 else "images of three colours"
            for channels in (config.image_channels, task.image_channels)
        )
        way_out = (
            "repeat their channel three times (numpy.repeat(images, 3, axis=-1), as arrays:FILE)"
            if task.image_channels == 1
            else "average their channels, as arrays:FILE"
        )
        raise StudyError(
            f"preset {preset.name!r} takes {takes}, and {dataset} has {has}; {way_out}, or choose "
            "a preset that was trained on such images"
        )
    if task.image_size != config.image_size and tokens is None:
        config, params = enlarge_patch(config, params, task.image_size)
    elif task.image_size != config.image_size:
        assert tokens is not None
        config, params = expand(config, params, task.image_size, tokens)
    config, params = with_new_head(config, params, task.num_classes)
    trained = preset.trained
    return config, StartWeights(weights_bytes(params, {}), trained.pixel_mean, trained.pixel_std)


def with_new_head(
    config: Config, params: Mapping[str, Any], num_classes: int
) -> tuple[Config, dict[str, Any]]:
    """The network for so many classes: its head is zeros, so that the first loss is ln K.

    Raises:
        StudyError: the network of the configuration's family has no layer named `head`.
    """
    if "head" not in params:
        raise StudyError(
            f"networks of family {config.family!r} have no layer named head to be made anew; "
            "choose a preset of a Mixer or a ViT"
        )
    num_features = params["head"]["kernel"].shape[0]
    head = {
        "kernel": np.zeros((num_features, num_classes), np.float32),
        "bias": np.zeros(num_classes, np.float32),
    }
    return config.model_copy(update={"num_classes": num_classes}), {**params, "head": head}
