"""What a trained network has learnt, as small images: of its stem, token mixing, positions.

NumPy alone: the weights come from a file (`runs.weights_folder`). The images of a group share one
scale, so that they can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from space.config import Config, PatchNetwork

MAX_TILES = 64
"""Of a group, the strongest: the rest would be too small to see."""
MAX_BLOCKS = 3
"""As many as the figure of the paper has; what later blocks mix has less shape."""

_POSITIONS = "params/Transformer/posembed_input/pos_embedding"

Images = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Tiles:
    """Images of one kind, as many tiles of one size."""

    title: str
    images: Images
    """[tiles, height, width], or [tiles, height, width, 3] of red, green and blue."""
    numbers: npt.NDArray[np.int64]
    """[tiles], which hidden unit, filter or patch each is of, from 0."""
    what: str
    """One of them: `unit`, `filter` or `patch`."""
    whole: int
    """How many of them the network has."""
    span: float
    """Values reach from minus it to it: the scale's ends, symmetric about zero."""


@dataclass(frozen=True, kw_only=True)
class Learnt:
    """What can be shown of one network."""

    token_mixing: tuple[Tiles, ...] = ()
    """A group a block, the first ones."""
    stem: Tiles | None = None
    positions: Tiles | None = None


def learnt(config: Config, arrays: Mapping[str, Any]) -> Learnt:
    """What is known how to show of the network's weights; nothing of what is not there.

    Args:
        config: of the network.
        arrays: its weights by path (`params/stem/kernel`), as `runs.weights_folder.Weights` has
            them.
    """
    if not isinstance(config, PatchNetwork):
        return Learnt()
    grid = config.image_size // config.patch_size
    return Learnt(
        token_mixing=tuple(
            token_mixing(np.asarray(arrays[path]), grid, title=f"Block {block + 1}")
            for block in range(min(config.num_blocks, MAX_BLOCKS))
            if (path := f"params/MixerBlock_{block}/token_mixing/Dense_0/kernel") in arrays
        ),
        stem=next(
            (
                stem(np.asarray(arrays[path]))
                for name in ("stem", "embedding")
                if (path := f"params/{name}/kernel") in arrays
            ),
            None,
        ),
        positions=positions(np.asarray(arrays[_POSITIONS]), grid) if _POSITIONS in arrays else None,
    )


def token_mixing(kernel: Images, grid: int, *, title: str = "") -> Tiles:
    """The input weights of the hidden units of a token-mixing MLP, each on the grid of patches.

    Sorted by frequency, low ones first, as Tolstikhin et al. 2021 show theirs.
    Strong ones go before weak ones where there are more than `MAX_TILES`.

    Args:
        kernel: [patches, units], of its first dense layer.
        grid: patches a side.
        title: of the group.
    """
    units = np.ascontiguousarray(kernel.T).reshape(-1, grid, grid)  # units, rows, columns
    kept = _strongest(units)
    kept = kept[np.argsort(frequencies(units[kept]), kind="stable")]
    return _tiles(title, units, kept, "unit")


def stem(kernel: Images) -> Tiles:
    """The filters of the patch embedding, the strongest first.

    Args:
        kernel: [patch_size, patch_size, channels, hidden_dim]; of three channels they are colours.
    """
    filters = np.moveaxis(kernel, -1, 0)  # filters, rows, columns, channels
    if filters.shape[-1] == 1:
        filters = filters[..., 0]
    return _tiles("Stem", filters, _strongest(filters), "filter")


def positions(embedding: Images, grid: int) -> Tiles:
    """Cosine similarity of a patch's position embedding with those of all patches.

    A tile a patch, where it stands in the image; of a fine grid every so many patches have one
    (Dosovitskiy et al. 2021, figure 7).

    Args:
        embedding: [1, tokens, hidden_dim]; a class token comes first and is left out.
        grid: patches a side.
    """
    patches = embedding[0, -(grid**2) :]
    norms = np.linalg.norm(patches, axis=1, keepdims=True)
    unit = patches / np.maximum(norms, np.finfo(np.float32).tiny)
    side = min(grid, int(MAX_TILES**0.5))
    along = np.round(np.linspace(0, grid - 1, side)).astype(np.int64)
    kept = (along[:, None] * grid + along[None, :]).ravel()
    return Tiles(
        title="Position embedding",
        images=(unit[kept] @ unit.T).reshape(-1, grid, grid).astype(np.float32),
        numbers=kept,
        what="patch",
        whole=grid**2,
        span=1.0,
    )


def frequencies(images: Images) -> npt.NDArray[np.float64]:
    """The mean spatial frequency of each image, weighted by power, in cycles an image side.

    Args:
        images: [images, rows, columns].

    Returns:
        [images]; 0 of one that is constant.
    """
    rows, columns = images.shape[1:]
    power = np.abs(np.fft.fft2(images.astype(np.float64))) ** 2
    down, across = np.fft.fftfreq(rows, 1 / rows), np.fft.fftfreq(columns, 1 / columns)
    radius = np.hypot(down[:, None], across[None, :])
    total = np.maximum(power.sum(axis=(1, 2)), np.finfo(np.float64).tiny)
    mean: npt.NDArray[np.float64] = (power * radius).sum(axis=(1, 2)) / total
    return mean


def _strongest(images: Images) -> npt.NDArray[np.int64]:
    """Indices of those of the greatest norm, descending, at most `MAX_TILES`."""
    norms = np.linalg.norm(images.reshape(len(images), -1), axis=1)
    return np.argsort(-norms, kind="stable")[:MAX_TILES]


def _tiles(title: str, images: Images, kept: npt.NDArray[np.int64], what: str) -> Tiles:
    shown = images[kept].astype(np.float32)
    # Not the greatest: one stray weight would leave all others grey
    span = float(np.quantile(np.abs(shown), 0.995)) or 1.0
    return Tiles(title=title, images=shown, numbers=kept, what=what, whole=len(images), span=span)
