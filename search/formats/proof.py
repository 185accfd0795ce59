"""What is known of files in another format: who read them back, and how far logits differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from space.errors import MixerSearchError


class FormatError(MixerSearchError):
    """A network cannot be written in a format, or what was written does not compute the same."""


@dataclass(frozen=True, kw_only=True)
class Proof:
    """Of the files of one format, made when they were written."""

    format: str
    files: tuple[str, ...]
    """Their paths in the folder."""
    read_by: str | None
    """What read them back and computed, with its version; None where nothing here can."""
    max_difference: float | None
    """Largest absolute difference of a logit (of a probability, where those are all there are) to
    our own network's; None where nothing read them."""
    num_images: int
    """Real images compared on."""
    note: str
    """For the card: what it takes, how it is loaded, what to know."""

    @property
    def sentence(self) -> str:
        """`onnx: read by onnxruntime 1.32.0, 64 images differ by at most 8e-07`."""
        if self.read_by is None:
            return f"{self.format}: not proved; {self.note}"
        return (
            f"{self.format}: read by {self.read_by}, {self.num_images} images differ by at most "
            f"{self.max_difference:.0e}"
        )


def largest_difference(found: npt.ArrayLike, expected: npt.ArrayLike) -> float:
    """Of two arrays of one shape, element by element; infinite where any is not finite."""
    differences = np.abs(np.asarray(found, np.float64) - np.asarray(expected, np.float64))
    return float(differences.max()) if np.isfinite(differences).all() else float("inf")


def proved(name: str, read_by: str, found: npt.ArrayLike, logits: npt.NDArray[np.float32]) -> float:
    """The largest difference of logits, where that is no more than float32 makes of the same sums.

    That is a millionth of the largest logit, or 1e-5 where none is as large as 10.

    Args:
        name: of the format, for the sentence.
        read_by: what read them back, likewise.
        found: what the files compute.
        logits: what the network itself does.

    Raises:
        FormatError: it is larger.
    """
    difference = largest_difference(found, logits)
    return within(name, read_by, difference, 1e-6 * max(10.0, float(np.abs(logits).max())))


def within(name: str, read_by: str, difference: float, allowed: float) -> float:
    """The difference, where it is no more than is allowed.

    Raises:
        FormatError: it is more, or not finite.
    """
    if not difference <= allowed:
        raise FormatError(
            f"--format {name}: {read_by} computes from what was written numbers that differ by "
            f"{difference:.1e} from the network's, more than {allowed:.0e}; leave that format out, "
            "and report it"
        )
    return difference


def over_batches(
    compute: Callable[[npt.NDArray[np.uint8]], npt.ArrayLike],
    images: npt.NDArray[np.uint8],
    expected: npt.NDArray[np.floating],
    batches: Sequence[int],
) -> float:
    """The largest difference of what is computed in batches of several sizes.

    Args:
        compute: uint8 [batch, size, size, channels] to [batch, num_classes].
        images: [n, size, size, channels]; the largest batch sees all of them, some twice where it
            does not divide n.
        expected: [n, num_classes].
        batches: images in a call.
    """
    worst = 0.0
    for batch in batches:
        count = batch if batch < max(batches) else -(-len(images) // batch) * batch
        for chosen in np.split(np.arange(count) % len(images), count // batch):
            worst = max(worst, largest_difference(compute(images[chosen]), expected[chosen]))
    return worst
