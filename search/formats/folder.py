"""The folder of a trained network: its preset, weights and card, and what other formats it has.

`preset.json` and `model.safetensors` are the truth. All else is made from what was read back of
these two, and proved on real images, before the folder takes its name.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from search.formats.card import card
from search.formats.proof import Proof
from search.formats.registry import FORMATS
from search.train.devices import choose
from space import presets
from space.errors import ConfigError, MixerSearchError, listed, nearest
from space.presets import FILE, WEIGHTS_FILE, Preset
from space.whole_folder import whole_folder

CARD = "README.md"

ALL = "all"
"""In the place of the names of all formats."""


class Latency(NamedTuple):
    """How long a network takes to answer."""

    facts: list[dict[str, Any]]
    """For `source["latency"]` of its preset, a measurement each."""
    lines: list[str]
    """For its card, in Markdown."""


class FolderError(MixerSearchError):
    """The folder of a trained network cannot be written, or would replace what is none."""


def known_formats(names: Sequence[str]) -> list[str]:
    """The formats that are named, each once.

    Raises:
        FolderError: there is no such format.
    """
    for name in names:
        if name not in {*FORMATS, ALL}:
            raise FolderError(
                f"--format {name}: there is no such format{nearest(name, [*FORMATS, ALL])}; there "
                f"is {', '.join([*FORMATS, ALL])}"
            )
    return list(FORMATS) if ALL in names else list(dict.fromkeys(names))


def replaceable(path: Path) -> Preset | None:
    """The trained network in a folder that another may replace; None where there is nothing.

    Raises:
        FolderError: something else is there, or files beside those of the network.
    """
    try:
        if not os.path.lexists(path) or (path.is_dir() and not any(path.iterdir())):
            return None
        before = _trained(path)
        if before is None:
            raise FolderError(
                f"--out {path}: what is there is not the folder of a trained network, and is left "
                "as it is; name another"
            )
        files = [file for file in path.rglob("*") if not file.is_dir()]
    except OSError as error:
        raise FolderError(
            f"--out {path}: the folder cannot be read ({error.strerror}); name another"
        ) from None
    written = {FILE, WEIGHTS_FILE, CARD}
    for proof in before.source.get("formats") or ():
        written |= {str(file) for file in proof.get("files", ())}
    names = sorted(file.relative_to(path).as_posix() for file in files)
    others = [name for name in names if name not in written]
    if others:
        raise FolderError(
            f"--out {path}: the folder holds what no export wrote ({listed(others, 3)}), and is "
            "left as it is; move that away, or name another"
        )
    return before


def _trained(path: Path) -> Preset | None:
    """The preset in a folder; None where there is none with weights."""
    try:
        preset = presets.load(path / FILE) if path.is_dir() else None
    except presets.NewerPresetError:
        raise
    except ConfigError:
        return None
    return preset if preset and preset.trained else None


def write_folder(
    path: Path,
    preset: Preset,
    weights: bytes,
    *,
    images: npt.NDArray[np.uint8] | None = None,
    formats: Sequence[str] = (),
    latency: Latency | None = None,
) -> Preset:
    """Writes a trained network whole or not at all, in the place of another.

    Args:
        path: of the folder.
        preset: with `trained`; its `source` becomes the card's.
        weights: the file of its weights.
        images: uint8 [n, size, size, channels], real ones, on which formats are proved.
        formats: names in `FORMATS`; with any of them, images are needed.
        latency: what was measured of the network.

    Returns:
        The preset as it lies there; `source["formats"]` has the proofs.

    Raises:
        FolderError: it cannot be written there.
        FormatError: a format cannot hold the network, or does not compute the same.
        WeightsError: the weights are not those of the preset.
    """
    replaceable(path)
    try:
        with whole_folder(path) as folder:
            (folder / WEIGHTS_FILE).write_bytes(weights)
            _write_text(folder / FILE, preset.to_json())
            written = presets.load(folder)
            proofs = _proofs(written, folder, images, formats)
            more: dict[str, Any] = {"formats": [asdict(proof) for proof in proofs]}
            if latency is not None:
                more["latency"] = latency.facts
            whole = preset.model_copy(update={"source": preset.source | more})
            _write_text(folder / FILE, whole.to_json())
            _write_text(folder / CARD, card(whole, proofs, latency.lines if latency else ()))
    except OSError as error:
        raise FolderError(
            f"--out {path}: it cannot be written ({error.strerror}), and what was there is as it "
            "was; mend that, or name another folder"
        ) from None
    return presets.load(path / FILE)


def _proofs(
    preset: Preset, folder: Path, images: npt.NDArray[np.uint8] | None, formats: Sequence[str]
) -> list[Proof]:
    """Writes the formats; the weights are read back even where there are none."""
    params = preset.params()
    if not formats:
        return []
    from search.train.predict import logits_of  # JAX

    assert images is not None, "formats are proved on images"
    assert preset.trained is not None, "it has weights"
    mean, std = preset.trained.pixel_mean, preset.trained.pixel_std
    logits = logits_of(preset.config, params, images, mean, std, choose("cpu"))
    return [FORMATS[name](preset, params, folder, images, logits) for name in formats]


_write_text = partial(Path.write_text, encoding="utf-8")
