"""`python -m search.convert Mixer-B_16.npz --like mixer_b16 --out FOLDER`: what others trained."""

from __future__ import annotations

import hashlib
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import pydantic
import typer

from search.formats.folder import replaceable, write_folder
from search.formats.layout import LayoutError
from search.formats.sources import TrainedNetwork, read_trained
from space import presets
from space.command import Json, Version, make_app, print_json, run_app
from space.config import Config
from space.errors import ConfigError, explain
from space.families import label_of, parse_config
from space.paths import as_path
from space.presets import Preset, Trained
from space.quantities import format_count
from space.weights_file import weights_bytes

app = make_app()


@app.command(
    help="Make the folder of a trained network from a published .npz archive, a folder or "
    ".safetensors file of timm's, or a file of weights that a study kept.",
    epilog="Example: python -m search.convert Mixer-B_16.npz --like mixer_b16 --out mixer_b16",
    no_args_is_help=True,
)
def convert(
    source: Annotated[Path, typer.Argument(parser=as_path, metavar="FILE|FOLDER")],
    out: Annotated[
        Path,
        typer.Option(
            parser=as_path,
            help="The folder to write; one of a trained network is replaced.",
            metavar="FOLDER",
        ),
    ],
    like: Annotated[
        str | None,
        typer.Option(
            help="The network it is of; a folder of timm's, and a file that a study kept, say it.",
            metavar="PRESET|FILE.json",
        ),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Any field of that network's configuration, such as num_classes=21843; "
            "repeatable.",
            metavar="FIELD=VALUE",
            show_default=False,
        ),
    ] = None,
    pixel_mean: Annotated[
        str | None,
        typer.Option(
            help="Of the training images, 0 to 255: a number for all channels, or one each with "
            "commas between; by default what the source says, 127.5 for an .npz archive.",
            metavar="MEAN",
        ),
    ] = None,
    pixel_std: Annotated[
        str | None, typer.Option(help="Their deviation, likewise.", metavar="STD")
    ] = None,
    as_json: Json = False,
    version: Version = False,
) -> None:
    """Parses, calls, returns."""
    if source.resolve().is_relative_to(out.resolve()):
        raise ConfigError(
            f"--out {out}: {source} lies in it, and would be gone with it; name another folder"
        )
    before = replaceable(out)
    network = read_trained(source, _config(like, assignments or []))
    channels = network.config.image_channels
    given = {"pixel_mean": pixel_mean, "pixel_std": pixel_std}
    told = dict(network.told) | {
        name: _moments(name, text, channels) for name, text in given.items() if text is not None
    }
    if missing := [f"--{name.replace('_', '-')}" for name in given if name not in told]:
        raise LayoutError(
            f"{source} does not say how its pixels are normalised; name {' and '.join(missing)} "
            "in units of a pixel value from 0 to 255 (127.5 where they are from -1 to 1)"
        )
    preset, weights = _preset(out.resolve().name, network, told)
    made = preset.model_copy(
        update={
            "source": preset.source | {"command": _command(source, out, like, assignments, given)}
        }
    )
    written = write_folder(out, made, weights)
    if as_json:
        print_json({"folder": str(out), "preset": json.loads(written.to_json())})
        return
    instead = f" in place of {label_of(before.config)}" if before else ""
    print(
        f"{source}: {label_of(written.config)}, {format_count(written.num_params)} parameters, "
        f"{written.config.num_classes:,} classes; {network.layout}"
    )
    if network.note:
        print(f"note: {network.note}")
    print(f"written to {out}{instead}; load it with space.presets.load({str(out)!r})")


def _config(like: str | None, assignments: Sequence[str]) -> Config | None:
    """The network that was named; None where none was.

    Raises:
        ConfigError: there is no such preset, no such field, or the network cannot be.
    """
    if like is None:
        if assignments:
            raise ConfigError(
                f"--set {assignments[0]}: it changes the network that --like names; name one"
            )
        return None
    fields = presets.load(like).config.model_dump()
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals or name not in fields:
            raise ConfigError(
                f"--set {text}: a field is set as FIELD=VALUE, and the configuration of {like} has "
                f"{', '.join(fields)}; name one of these"
            )
        fields[name] = int(value) if value.isdecimal() else value
    return parse_config(fields)


def _moments(name: str, text: str, channels: int) -> tuple[float, ...]:
    """A number for every channel."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) not in {1, channels}:
        raise ConfigError(
            f"--{name.replace('_', '-')} {text}: that is not one number for each of {channels} "
            "channels, with commas between, nor one for all; write it like 127.5"
        )
    return numbers if len(numbers) == channels else numbers * channels


def _preset(name: str, network: TrainedNetwork, told: dict[str, Any]) -> tuple[Preset, bytes]:
    """The preset of a network, and the file of its weights."""
    config = network.config
    source = {
        "converted_from": network.file.name,
        "converted_sha256": network.sha256,
        "converted_layout": network.layout,
        **({"converted_note": network.note} if network.note else {}),
    }
    facts = {
        "family": config.family,
        "config": config.model_dump_json(),
        **{moment: json.dumps(told[moment]) for moment in ("pixel_mean", "pixel_std")},
        **source,
    }
    weights = weights_bytes(network.params, facts)
    digest = hashlib.sha256(weights).hexdigest()
    try:
        trained = Trained(sha256=digest, size_bytes=len(weights), **told)
    except pydantic.ValidationError as error:
        raise ConfigError(
            f"what the source says of its pixels cannot be: {explain(error)}"
        ) from None
    return Preset.of(name, config, source, trained), weights


def _command(
    source: Path,
    out: Path,
    like: str | None,
    assignments: Sequence[str] | None,
    given: dict[str, str | None],
) -> str:
    """What makes the folder again, where its source is."""
    words = [source.name, *(("--like", like) if like else ())]
    words += [word for text in assignments or () for word in ("--set", text)]
    words += [f"--{n.replace('_', '-')}={text}" for n, text in given.items() if text is not None]
    return shlex.join(["python", "-m", "search.convert", *words, "--out", out.name])


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0, or 2 for bad input."""
    return run_app(app, argv, "python -m search.convert")


if __name__ == "__main__":
    sys.exit(main())
