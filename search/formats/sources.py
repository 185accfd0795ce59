"""Trained networks as others have them: files and folders, and what is known of each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runs.weights_folder import read_facts
from search.formats.layout import LayoutError, Stored, checked, shapes_of, tree_of
from search.formats.npz import PIXEL_MEAN, PIXEL_STD, read_npz
from search.formats.timm import CONFIG_FILE, WEIGHTS_FILE, read_config, read_weights, safetensors_in
from search.formats.timm_config import config_of, trained_of
from space.config import Config
from space.errors import ConfigError
from space.families import label_of, parse_config
from space.presets import FILE

_ERF = (
    "timm computes GELU by erf where it is not told otherwise, networks here its tanh "
    "approximation: logits differ a little from timm's, up to 2e-3 where that was measured"
)


@dataclass(frozen=True, kw_only=True)
class TrainedNetwork:
    """What was read of a source."""

    file: Path
    """That holds its weights."""
    layout: str
    """In a few words: `published archive (.npz)`."""
    config: Config
    params: Mapping[str, Any]
    told: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `space.presets.Trained` that the source has."""
    note: str = ""
    """What to know of it."""

    @property
    def sha256(self) -> str:
        """Of the file."""
        return hashlib.sha256(self.file.read_bytes()).hexdigest()


def read_trained(path: Path, config: Config | None) -> TrainedNetwork:
    """A trained network from a file or folder of another layout.

    Args:
        path: an `.npz` archive, a folder of timm's, or a `.safetensors` file of ours or of timm's.
        config: the network; None where the source says it.

    Raises:
        LayoutError: it cannot be read, says too little, or is of another network.
    """
    if path.is_dir():
        return _timm_folder(path, config)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        network = _named(config, path)
        channels = network.image_channels
        return TrainedNetwork(
            file=path,
            layout="published archive (.npz)",
            config=network,
            params=read_npz(path, network),
            told={"pixel_mean": (PIXEL_MEAN,) * channels, "pixel_std": (PIXEL_STD,) * channels},
        )
    if suffix == ".safetensors":
        return _safetensors(path, config)
    if suffix in {".pth", ".pt", ".bin", ".ckpt", ".pkl"}:
        raise LayoutError(
            f"{path} is a pickle by its name, which could run any program when it is read, and is "
            "not; save its state dict with safetensors.torch.save_file"
        )
    raise LayoutError(
        f"{path} is neither an .npz archive, nor a .safetensors file, nor a folder with "
        f"{CONFIG_FILE} of timm's; name one of these"
    )


def _timm_folder(folder: Path, config: Config | None) -> TrainedNetwork:
    if (folder / FILE).exists():
        raise LayoutError(
            f"{folder} holds {FILE}: it is the folder of a trained network of this program "
            "already; load it as it is"
        )
    facts = read_config(folder / CONFIG_FILE)
    network = config or config_of(facts)
    return TrainedNetwork(
        file=folder / WEIGHTS_FILE,
        layout="folder of timm's",
        config=network,
        params=read_weights(folder / WEIGHTS_FILE, network),
        told=trained_of(facts, network),
        note="" if _is_tanh(facts) else _ERF,
    )


def _is_tanh(facts: Mapping[str, Any]) -> bool:
    return (facts.get("model_args") or {}).get("act_layer") == "gelu_tanh"


def _safetensors(path: Path, config: Config | None) -> TrainedNetwork:
    arrays = safetensors_in(path)
    if not any(name.startswith("params/") for name in arrays):
        network = _named(config, path)
        params = read_weights(path, network)
        return TrainedNetwork(
            file=path,
            layout="arrays of timm's (.safetensors)",
            config=network,
            params=params,
            note=_ERF,
        )
    facts = read_facts(path) or {}
    network, told = _by_its_header(path, facts, config)
    expected = {f"params/{name}": shape for name, shape in shapes_of(network).items()}
    stored = {name: Stored(name, array) for name, array in arrays.items()}
    found = checked(stored, expected, network, path.name)
    return TrainedNetwork(
        file=path,
        layout="arrays of this program's (.safetensors)",
        config=network,
        params=tree_of({name.removeprefix("params/"): array for name, array in found.items()}),
        told=told,
    )


def _by_its_header(
    path: Path, facts: dict[str, str], config: Config | None
) -> tuple[Config, dict[str, Any]]:
    """The network, and what the header of a file that a study kept says of pixels."""
    try:
        given = parse_config(json.loads(facts["config"])) if "config" in facts else None
        told: dict[str, Any] = {
            name: tuple(map(float, json.loads(facts[name])))
            for name in ("pixel_mean", "pixel_std")
            if name in facts
        }
    except (ValueError, TypeError, ConfigError) as error:
        raise LayoutError(
            f"the header of {path.name} cannot be understood ({error}); name its network with "
            "--like, after removing its metadata"
        ) from None
    if given and config and given != config:
        raise LayoutError(
            f"{path.name} is of {label_of(given)} by its header, the network that was named is "
            f"{label_of(config)}, or of other images or classes; leave out --like"
        )
    return given or _named(config, path), told


def _named(config: Config | None, path: Path) -> Config:
    if config is None:
        raise LayoutError(
            f"{path.name} does not say which network it is of; name it with --like, a preset (such "
            "as mixer_b16) or a .json file of one"
        )
    return config
