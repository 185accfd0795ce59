"""What figures of learnt weights show, in sentences."""

from __future__ import annotations

from runs.learnt import Tiles
from space.quantities import counted

POSITIONS = (
    "How alike the position embeddings of patches are: a tile is the cosine similarity of one "
    "patch with all, and stands where the patch does."
)


def token_mixing_words(tiles: Tiles) -> str:
    """Of the groups of the first blocks, by the first of them."""
    return (
        f"{_shown(tiles)} of the token-mixing MLPs of the first blocks: a tile is the weights with "
        "which a unit reads the patches, each where it lies in the image. Sorted by frequency, low "
        "ones first (as in Tolstikhin et al. 2021)."
    )


def stem_words(tiles: Tiles) -> str:
    """Of the filters of the stem."""
    colors = "in colour, grey is zero" if tiles.images.ndim == 4 else "zero is blank"
    return (
        f"{_shown(tiles)} of the stem, the strongest first: what of a patch a channel reads "
        f"({colors})."
    )


def _shown(tiles: Tiles) -> str:
    """`The 16 hidden units`, `The 64 strongest of 256 hidden units`."""
    noun = {"unit": "hidden unit", "filter": "filter"}[tiles.what]
    if len(tiles.images) < tiles.whole:
        return f"The {len(tiles.images)} strongest of {counted(tiles.whole, noun)}"
    return f"The {counted(tiles.whole, noun)}"
