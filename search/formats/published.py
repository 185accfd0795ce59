"""Names that published files of weights have for parameters, old ones too, as ours.

Ours are those of google-research/vision_transformer (c6de1e5, `vit_jax/models_mixer.py` and
`models_vit.py`). Files that were saved earlier, or by big_vision, have the same arrays under other
names; what becomes of them there is in `vit_jax/checkpoint.py` (`load`, which calls Flax's
`convert_pre_linen`) and in big_vision (0127fb6) `models/mlp_mixer.py` (`load`) and `models/vit.py`
(`fix_old_checkpoints`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from search.formats.layout import LayoutError, Stored

_PREFIXES = ("opt/target/", "params/")
"""Before every name where the state of a whole training was saved, and in files of big_vision."""

_OLD_NAMES = (
    # Submodules were numbered across classes
    (r"(encoderblock_\d+)/LayerNorm_2/", r"\1/LayerNorm_1/"),
    (r"(encoderblock_\d+)/MultiHeadDotProductAttention_1/", r"\1/MultiHeadDotProductAttention_0/"),
    (r"(encoderblock_\d+)/MlpBlock_3/", r"\1/MlpBlock_0/"),
)
_OLD_MIXER = (
    (r"^embedding/", "stem/"),
    (r"^Mixer/encoder_norm/", "pre_head_layer_norm/"),
    (r"^Mixer/encoderblock_(\d+)/", r"MixerBlock_\1/"),
    (r"/(token|channel)_mixing_phase_\d+/(kernel|bias)1$", r"/\1_mixing/Dense_0/\2"),
    (r"/(token|channel)_mixing_phase_\d+/(kernel|bias)2$", r"/\1_mixing/Dense_1/\2"),
)
"""Patterns, and what takes their place, one after another."""

_POSITIONS = "Transformer/posembed_input/pos_embedding"


def as_ours(arrays: Mapping[str, npt.NDArray[Any]], file: str) -> dict[str, Stored]:
    """The arrays of a published file by our paths, each with its name there.

    Args:
        arrays: by their names.
        file: its name, for the sentence.

    Raises:
        LayoutError: there is a layer `pre_logits`, which networks here do not have, or two arrays
            have the same place.
    """
    prefix = next((p for p in _PREFIXES if all(name.startswith(p) for name in arrays)), "")
    is_old_mixer = any(name.startswith(f"{prefix}Mixer/") for name in arrays)
    patterns = _OLD_NAMES + (_OLD_MIXER if is_old_mixer else ())
    found: dict[str, Stored] = {}
    for name, array in arrays.items():
        path = name.removeprefix(prefix)
        for pattern, ours in patterns:
            path = re.sub(pattern, ours, path)
        if path.startswith("pre_logits/"):
            raise LayoutError(
                f"{file} has a layer pre_logits before its head, as the first ViTs of ImageNet-21k "
                "(2020), and no network here has one; take the same network fine-tuned on "
                "ImageNet, or one of the AugReg files (2021), which have none"
            )
        if path in found:
            raise LayoutError(
                f"{found[path].name} and {name} in {file} are both {path} here; no version that "
                "is known saved such a file: take another copy"
            )
        # Old Mixers have an axis of one there, for heads
        found[path] = Stored(name, array.squeeze() if "_mixing_phase_" in name else array)
    if stored := found.pop("pos_embedding", None):
        found[_POSITIONS] = _with_class_token(stored, has_token="cls" in found)
    return found


def _with_class_token(stored: Stored, *, has_token: bool) -> Stored:
    """Positions of big_vision, which adds none to the class token, for a network that does."""
    array = stored.array
    if not has_token or array.ndim != 3:
        return stored
    return Stored(stored.name, np.concatenate([np.zeros_like(array[:, :1]), array], axis=1))
