"""What a trained network says of larger images before it is fine-tuned for them.

    python -m search.export --study mixer_digits --pick trial=8 --out winner
    python benchmarks/enlarged_digits.py --model winner

The training images of the digits, enlarged bicubically, go through the network as each way of
`space.expansion` enlarges it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np

from search import data as images
from search.data.resize import resized
from search.train.devices import choose
from search.train.environment import find_environment
from search.train.predict import logits_of
from space import presets
from space.config import Config
from space.expansion import ImageSizeError, enlarge_patch, expand
from space.families import label_of

SIZES = (12, 16, 32)
Enlarge = Callable[[Config, Any, int], tuple[Config, Any]]
WAYS: dict[str, Enlarge] = {
    "`enlarge_patch`": enlarge_patch,
    "`expand`, strided": lambda config, params, size: expand(config, params, size, "strided"),
    "`expand`, tiles": lambda config, params, size: expand(config, params, size, "tiles"),
}


def main(argv: list[str] | None = None) -> int:
    """Prints a table in Markdown, and where it was made."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="folder of a network trained on digits")
    preset = presets.load(parser.parse_args(argv).model)
    params, trained = preset.params(), preset.trained
    assert trained is not None, "it has weights"
    data, device = images.load("digits"), choose("cpu")

    def share(config: Config, params: Any) -> float:
        pixels = np.stack([resized(i, config.image_size, "squash") for i in data.train_images])
        moments = trained.pixel_mean, trained.pixel_std
        logits = logits_of(config, params, pixels, *moments, device)
        return float((logits.argmax(-1) == data.train_labels).mean())

    def cell(enlarge: Enlarge, size: int) -> str:
        try:
            return f"{100 * share(*enlarge(preset.config, params, size)):.1f} %"
        except ImageSizeError:  # no whole multiple
            return "-"

    print("|", *(f" | {size} px" for size in SIZES), "|", sep="")
    print("|---" * (1 + len(SIZES)) + "|")
    for name, enlarge in WAYS.items():
        print("|", name, "|", " | ".join(cell(enlarge, size) for size in SIZES), "|")
    small = 100 * share(preset.config, params)
    environment = find_environment(device)
    print(
        f"\n{label_of(preset.config)}, {small:.1f} % of {len(data.train_labels):,} training images "
        f"right at {preset.config.image_size} px; {environment.device_kind}, "
        f"{datetime.now(UTC).date()}, revision {environment.git_revision}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
