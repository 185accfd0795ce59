"""`timm/`: a folder with what timm needs of a network, its arguments and its weights.

Without torch and timm it is written all the same, and proved by reading it back here alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from search.formats.layout import LayoutError
from search.formats.proof import Proof, largest_difference, proved
from search.formats.timm_arrays import from_timm, to_timm
from search.formats.timm_config import architecture_of, timm_config
from space import reference
from space.config import Config, MixerConfig
from space.presets import Preset

FOLDER, CONFIG_FILE, WEIGHTS_FILE = "timm", "config.json", "model.safetensors"


def write_timm(
    preset: Preset,
    params: Mapping[str, Any],
    folder: Path,
    images: npt.NDArray[np.uint8],
    logits: npt.NDArray[np.float32],
) -> Proof:
    """Writes the folder, and has timm read it where it is installed.

    Args:
        preset: of a trained network.
        params: its parameter tree.
        folder: where to; the files are in `timm/` there, since timm wants their names.
        images: [n, size, size, channels] to compare on.
        logits: [n, num_classes], what the network makes of them.

    Raises:
        FormatError: timm has no network of that family, or what was written does not compute the
            same.
        OSError: it cannot be written.
    """
    assert preset.trained
    config, inside = preset.config, folder / FOLDER
    facts = json.dumps(timm_config(preset), indent=2, ensure_ascii=False) + "\n"
    inside.mkdir(exist_ok=True)
    (inside / CONFIG_FILE).write_text(facts, encoding="utf-8")
    (inside / WEIGHTS_FILE).write_bytes(save(to_timm(config, params), {"format": "pt"}))
    pixels = _normalised(preset, images)
    note = f"loaded by {_how(config)}; mean and deviation are in its config"
    if all(find_spec(name) for name in ("torch", "timm")):
        read_by, found, plain = _by_timm(inside, config, pixels)
        if plain is not None:
            apart = largest_difference(plain, logits)
            note += f"; without act_layer timm computes GELU by erf, up to {apart:.0e} off"
    else:
        read_by = "NumPy alone (space.reference)"
        found = reference.logits(config, read_weights(inside / WEIGHTS_FILE, config), pixels)
        note += "; torch and timm are not installed here, so timm itself was not asked"
        if isinstance(config, MixerConfig):
            note += "; without act_layer it computes GELU by erf, which is a little off"
    return Proof(
        format="timm",
        files=(f"{FOLDER}/{CONFIG_FILE}", f"{FOLDER}/{WEIGHTS_FILE}"),
        read_by=read_by,
        max_difference=proved("timm", read_by, found, logits),
        num_images=len(images),
        note=note,
    )


def read_weights(path: Path, config: Config) -> dict[str, Any]:
    """The parameter tree of a network from a file of timm's.

    Args:
        path: of the safetensors file.
        config: the network it must be of.

    Raises:
        LayoutError: it cannot be read, or is of another network.
    """
    return from_timm(config, safetensors_in(path), path.name)


def safetensors_in(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a safetensors file by their names.

    Raises:
        LayoutError: it cannot be read, or is cut off or damaged.
    """
    try:
        arrays: dict[str, npt.NDArray[Any]] = load(path.read_bytes())
    except OSError as error:
        raise LayoutError(f"{path} cannot be read ({error.strerror}); name another file") from None
    except (SafetensorError, KeyError, ValueError) as error:
        raise LayoutError(
            f"{path.name} is no whole safetensors file ({error}); take another copy of it"
        ) from None
    return arrays


def read_config(path: Path) -> dict[str, Any]:
    """The fields of a `config.json`.

    Raises:
        LayoutError: it cannot be read, or is no JSON object.
    """
    try:
        facts = json.loads(path.read_bytes())
    except OSError as error:
        raise LayoutError(
            f"{path} cannot be read ({error.strerror}); name another folder"
        ) from None
    except ValueError as error:
        raise LayoutError(f"{path} is no JSON ({error}); take another copy of it") from None
    if not isinstance(facts, dict):
        raise LayoutError(f"{path} is no JSON object; take another copy of it")
    return facts


def _normalised(preset: Preset, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Pixels as timm's own transforms make them: from 0 to 1, then less the mean."""
    assert preset.trained
    mean, std = (
        np.asarray(values) / 255 for values in (preset.trained.pixel_mean, preset.trained.pixel_std)
    )
    normalised: npt.NDArray[np.float32] = ((images / 255 - mean) / std).astype(np.float32)
    return normalised


def _how(config: Config) -> str:
    """The expression that makes its model, for a reader."""
    by_name = f"timm.create_model('local-dir:{FOLDER}', pretrained=True"
    if not isinstance(config, MixerConfig):
        return f"`{by_name})`"
    if architecture_of(config):
        return f"`{by_name}, act_layer=timm.layers.GELUTanh)`"
    return (
        "`timm.models.mlp_mixer.MlpMixer(config['num_classes'], **config['model_args'], "
        f"act_layer=timm.layers.GELUTanh)`, with {CONFIG_FILE} as `config`, and its "
        "`load_state_dict` (timm's `create_model` makes Mixers of published sizes alone)"
    )


def _by_timm(
    folder: Path, config: Config, pixels: npt.NDArray[np.float32]
) -> tuple[str, npt.NDArray[np.float32], npt.NDArray[np.float32] | None]:
    """Who read the folder, the logits of its network, and those with timm's own GELU by erf."""
    import timm
    import torch
    from timm.models.mlp_mixer import MlpMixer

    images = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))

    def logits(**options: Any) -> npt.NDArray[np.float32]:
        if isinstance(config, MixerConfig) and not architecture_of(config):
            facts, arrays = read_config(folder / CONFIG_FILE), safetensors_in(folder / WEIGHTS_FILE)
            model = MlpMixer(facts["num_classes"], **facts["model_args"], **options)
            model.load_state_dict({name: torch.from_numpy(arrays[name]) for name in arrays})
        else:
            model = timm.create_model(f"local-dir:{folder}", pretrained=True, **options)
        with torch.inference_mode():
            found: npt.NDArray[np.float32] = model.eval()(images).numpy()
        return found

    who = f"timm {timm.__version__} (torch {torch.__version__})"
    if not isinstance(config, MixerConfig):
        return who, logits(), None
    return who, logits(act_layer=timm.layers.GELUTanh), logits()
