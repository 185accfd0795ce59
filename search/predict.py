"""`python -m search.predict --model winner/ image.png`: what a trained network takes images for."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from scipy.special import softmax

from search import options
from search.data.decoding import decode_any, look, refusing_huge_images
from search.data.resize import resized
from space import presets
from space.command import Json, Version, make_app, print_json, run_app, visible
from space.paths import as_path
from space.presets import Preset

_BATCH = 64
"""Images that are decoded and predicted at a time."""

app = make_app()


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """Of one file."""

    file: Path
    labels: tuple[int, ...]
    """The most probable classes, the first one first."""
    probabilities: tuple[float, ...]
    """Of these."""
    notes: tuple[str, ...]
    """What was done to the image first."""


@dataclass(frozen=True, kw_only=True)
class Unreadable:
    """A file that is none, or no image."""

    file: Path
    reason: str

    @property
    def sentence(self) -> str:
        return f"{self.file} is not predicted: {self.reason}; name a file that is a whole image"


@app.command(
    help="Say what a trained network takes images for. Images of another size are converted as "
    "those of its training were; grey and coloured ones to what it takes.",
    epilog="Example: python -m search.predict --model winner/ photo.jpg",
    no_args_is_help=True,
)
def predict(
    files: Annotated[list[Path], typer.Argument(help="Image files.", parser=as_path)],
    model: Annotated[
        str,
        typer.Option(
            help="The folder of a trained network, or the name of a preset that comes with "
            "weights.",
            metavar="FOLDER|NAME",
        ),
    ],
    top: Annotated[
        int, typer.Option(min=1, help="So many of the most probable classes.", metavar="K")
    ] = 3,
    device: options.Device = "auto",
    as_json: Json = False,
    version: Version = False,
) -> None:
    """Parses, calls, returns."""
    preset = presets.load(model)
    found: list[Prediction] = []
    errors: list[Unreadable] = []
    for answer in predictions(preset, files, top=top, device=device):
        if isinstance(answer, Unreadable):
            errors.append(answer)
            print(f"error: {visible(answer.sentence)}", file=sys.stderr)
            continue
        found.append(answer)
        if not as_json:
            print(visible(f"{answer.file}: {_in_words(answer, preset)}"))
    for note, number in Counter(note for answer in found for note in answer.notes).items():
        print(f"{number:,} of {len(found):,} images: {note}", file=sys.stderr)
    if as_json:
        print_json(
            {
                "model": preset.name,
                "predictions": [_facts(answer, preset) for answer in found],
                "errors": [{"file": str(e.file), "error": e.sentence} for e in errors],
            }
        )
    if errors:
        raise typer.Exit(2)


def predictions(
    preset: Preset, files: Sequence[Path], *, top: int = 3, device: str = "auto"
) -> Iterator[Prediction | Unreadable]:
    """What a network takes images for, in the order of the files, a batch at a time.

    Args:
        preset: with weights.
        files: images of any size and any kind that Pillow knows, of at most 89 million pixels.
        top: so many classes of each.
        device: one of `search.train.devices.KINDS`.

    Raises:
        WeightsError: the preset has no weights, or they are damaged.
        DeviceError: there is no such device.
    """
    from search.train.devices import choose
    from search.train.predict import logits_of  # JAX, which takes a second

    params, trained = preset.params(), preset.trained
    assert trained is not None, "it has weights"
    where = choose(device)
    for start in range(0, len(files), _BATCH):
        read = [(file, _read(file, preset)) for file in files[start : start + _BATCH]]
        pixels = [image for _, image in read if not isinstance(image, str)]
        logits: Iterator[npt.NDArray[np.float32]] = iter(
            logits_of(
                preset.config,
                params,
                np.stack([image.pixels for image in pixels]),
                trained.pixel_mean,
                trained.pixel_std,
                where,
            )
            if pixels
            else ()
        )
        for file, image in read:
            if isinstance(image, str):
                yield Unreadable(file=file, reason=image)
                continue
            probabilities = softmax(next(logits).astype(np.float64))
            labels = np.argsort(-probabilities, kind="stable")[:top]
            yield Prediction(
                file=file,
                labels=tuple(labels.tolist()),
                probabilities=tuple(probabilities[labels].tolist()),
                notes=image.notes,
            )


@dataclass(frozen=True, eq=False)
class _Image:
    pixels: npt.NDArray[np.uint8]
    notes: tuple[str, ...]


def _read(file: Path, preset: Preset) -> _Image | str:
    """The image as the network takes it, or why there is none."""
    assert preset.trained is not None, "it has weights"
    size, channels = preset.config.image_size, preset.config.image_channels
    try:
        if not file.is_file():
            return "it is a folder" if file.is_dir() else "there is no such file"
        with refusing_huge_images():
            rows, columns, has_channels = look(file)
            pixels = decode_any(file.read_bytes(), channels, upright=True)
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    except ValueError as error:
        return str(error).rstrip(".")
    notes = []
    if has_channels < channels:
        notes.append(f"grey, repeated for the {channels} channels of the network")
    elif has_channels > channels:
        notes.append("in colour, made grey as ITU-R BT.601 weighs colours")
    if (rows, columns) != (size, size):
        how = preset.trained.resize
        notes.append(f"converted to {size} x {size} pixels (resize = {how!r})")
    return _Image(resized(pixels, size, preset.trained.resize), tuple(notes))


def _in_words(answer: Prediction, preset: Preset) -> str:
    return ", ".join(
        f"{_class_name(label, preset)} {100 * probability:.1f} %"
        for label, probability in zip(answer.labels, answer.probabilities, strict=True)
    )


def _facts(answer: Prediction, preset: Preset) -> dict[str, Any]:
    return {
        "file": str(answer.file),
        "classes": [
            {"label": label, "class_name": _class_name(label, preset), "probability": probability}
            for label, probability in zip(answer.labels, answer.probabilities, strict=True)
        ],
        "notes": list(answer.notes),
    }


def _class_name(label: int, preset: Preset) -> str:
    """Its number where the classes have no names."""
    names = preset.trained.class_names if preset.trained else ()
    return names[label] if names else str(label)


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0; 2 for bad input, where some of the images were none too."""
    return run_app(app, argv, "python -m search.predict")


if __name__ == "__main__":
    sys.exit(main())
