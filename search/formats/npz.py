"""`model.npz`: a flat archive, as google-research/vision_transformer publishes its networks.

Written as `vit_jax/checkpoint.py` (c6de1e5) reads them; read in the older layouts too.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from search.formats.layout import LayoutError, checked, shapes_of, tree_of
from search.formats.proof import Proof, proved
from search.formats.published import as_ours
from search.formats.stem import with_pixels
from space import reference
from space.config import Config
from space.presets import Preset
from space.weights_file import flat

PIXEL_MEAN = PIXEL_STD = 127.5
"""Of every channel: published networks take pixels from -1 to 1."""

_FILE = "model.npz"

_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    RuntimeError,  # encrypted, or compressed in a way that only zip files know
    MemoryError,  # a shape that is none
)
"""What NumPy says of archives that are cut off or changed, beside `ValueError`."""


def write_npz(
    preset: Preset,
    params: Mapping[str, Any],
    folder: Path,
    images: npt.NDArray[np.uint8],
    logits: npt.NDArray[np.float32],
) -> Proof:
    """Writes the archive, and reads it back.

    Args:
        preset: of a trained network.
        params: its parameter tree.
        folder: where to.
        images: [n, size, size, channels] to compare on.
        logits: [n, num_classes], what the network makes of them.

    Raises:
        FormatError: what was written does not compute the same.
        OSError: it cannot be written.
    """
    assert preset.trained
    config, channels = preset.config, preset.config.image_channels
    mine = (preset.trained.pixel_mean, preset.trained.pixel_std)
    published = ((PIXEL_MEAN,) * channels, (PIXEL_STD,) * channels)
    arrays: dict[str, Any] = flat(with_pixels(config, params, mine, published))
    np.savez(folder / _FILE, **arrays)
    found = reference.logits(config, read_npz(folder / _FILE, config), images / PIXEL_STD - 1)
    read_by = f"NumPy {np.__version__} (space.reference)"
    return Proof(
        format="npz",
        files=(_FILE,),
        read_by=read_by,
        max_difference=proved("npz", read_by, found, logits),
        num_images=len(images),
        note=(
            "names and shapes as google-research/vision_transformer publishes them; takes pixels "
            "from -1 to 1 (`2 * pixels / 255 - 1`), their normalisation is in the first layer"
        ),
    )


def read_npz(path: Path, config: Config) -> dict[str, Any]:
    """The parameter tree of a network from a published archive.

    Args:
        path: of the file.
        config: the network it must be of.

    Raises:
        LayoutError: it cannot be read, holds pickles, or is of another network.
    """
    found = as_ours(_arrays(path), path.name)
    return tree_of(checked(found, shapes_of(config), config, path.name))


def _arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """All arrays of an archive; never unpickles, which would run whatever a file says."""
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise LayoutError(
                    f"{path.name} is one array, not an archive of them; name the .npz file of a "
                    "whole network"
                )
            arrays = {name: archive[name] for name in archive.files}
    except OSError as error:
        raise LayoutError(f"{path} cannot be read ({error.strerror}); name another file") from None
    except ValueError as error:
        if "pickle" in str(error).lower():
            raise LayoutError(
                f"{path.name} holds pickled objects, which could run any program when they are "
                "read, and are not; save its arrays as numbers alone: np.savez(file, **arrays)"
            ) from None
        raise _damaged(path, error) from None
    except _DAMAGE as error:
        raise _damaged(path, error) from None
    if others := [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]:
        raise _damaged(path, f"{others[0]} in it is no array")  # a zip file of anything
    return arrays


def _damaged(path: Path, error: Exception | str) -> LayoutError:
    return LayoutError(f"{path.name} is no whole .npz archive ({error}); take another copy of it")
