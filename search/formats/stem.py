"""The first layer of a network for pixels that are scaled in another way: exact, it is affine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from search.formats.proof import FormatError
from space.config import Config
from space.expansion import STEMS


def with_pixels(
    config: Config,
    params: Mapping[str, Any],
    before: tuple[Sequence[float], Sequence[float]],
    after: tuple[Sequence[float], Sequence[float]],
) -> dict[str, Any]:
    """The parameter tree of a network that takes the same images, otherwise normalised.

    Args:
        config: of the network.
        params: takes `(pixels - mean) / std` with the first mean and deviation.
        before: mean and deviation a channel, in units of a pixel value from 0 to 255.
        after: those of the network that is returned.

    Raises:
        FormatError: its family is none whose first layer is known.
    """
    if config.family not in STEMS:
        raise FormatError(
            f"family {config.family!r} has no first layer that is known here, only "
            f"{' and '.join(STEMS)} have; export it without --format"
        )
    (mean, std), (new_mean, new_std) = (
        np.asarray(moments, np.float64) for moments in (before, after)
    )
    stem = params[STEMS[config.family]]
    kernel = np.asarray(stem["kernel"], np.float64)  # p, p, channels, hidden_dim
    scale, shift = new_std / std, (new_mean - mean) / std
    bias = stem["bias"] + np.einsum("pqch,c->h", kernel, shift)
    folded = {"kernel": kernel * scale[:, None], "bias": bias}
    return {
        **params,
        STEMS[config.family]: {name: array.astype(np.float32) for name, array in folded.items()},
    }
