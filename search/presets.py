"""`python -m search.presets`: networks to choose from, published ones and those searches found."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console

from runs.options import Storage
from runs.reader import open_reader
from search.report.choices import cheapest_first, choice_of, choices_of, choices_table
from space import presets
from space.command import Json, Version, make_app, print_json, run_app, visible
from space.errors import ConfigError
from space.families import label_of
from space.quantities import format_count

app = make_app()


@app.command(
    "presets",
    help="Show networks to choose from in one table, cheapest first, or one with its source.",
    epilog="Example: python -m search.presets --study mixer_cifar",
)
def show(
    preset: Annotated[
        str | None,
        typer.Argument(
            help="Show this one alone: a name, a .json file, or the folder of a winner.",
            metavar="[PRESET]",
            show_default=False,
        ),
    ] = None,
    study: Annotated[
        list[str] | None,
        typer.Option(
            help="The front of a study too, as it was confirmed if it was; repeatable.",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
    storage: Storage = None,
    as_json: Json = False,
    version: Version = False,
) -> None:
    """Parses, calls, returns."""
    if preset is not None:
        if study:
            raise ConfigError(f"{preset} is shown alone; leave --study out, or the preset")
        found = presets.load(preset)
        if as_json:
            print_json(choice_of(found).facts | {"source": found.source})
            return
        for key, text in _lines(found, preset):
            print(f"{visible(key):<15} {visible(text)}")
        return
    choices = [choice_of(presets.load(name)) for name in presets.names()]
    if study or storage:
        with open_reader(storage) as store:
            for name in study or [record.name for record in store.studies()]:
                choices += choices_of(store, name)
    if as_json:
        print_json([choice.facts for choice in cheapest_first(choices)])
        return
    Console().print(choices_table(choices))
    if any(choice.accuracy is not None for choice in choices):
        print("accuracy: on validation, which chose among them, where it does not say test")


def _lines(preset: presets.Preset, asked: str) -> Iterator[tuple[str, str]]:
    """What is known of one, a line each."""
    config = preset.config
    colour = "grey" if config.image_channels == 1 else "in colour"
    yield preset.name, label_of(config)
    yield "images", f"{config.image_size} x {config.image_size} pixels, {colour}"
    yield "classes", f"{config.num_classes:,}"
    yield "parameters", format_count(preset.num_params)
    yield "FLOPs", f"{format_count(2 * preset.macs)} an image, forward"
    first, *more = _weights(preset, asked)
    yield "weights", first
    yield from (("", line) for line in more)
    for key, value in preset.source.items():
        if value is not None:
            yield key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _weights(preset: presets.Preset, asked: str) -> Iterator[str]:
    """What there is, or how to get some."""
    if preset.trained is not None:
        where = "" if preset.folder is None else f"{preset.folder / presets.WEIGHTS_FILE}, "
        yield f"{where}{format_count(preset.trained.size_bytes)}B"
        return
    name = shlex.quote(asked)
    yield f"none; train it: python -m search.train --preset {name} --dataset DATASET"
    if "paper" in preset.source:
        yield f"or with a published file: python -m search.convert FILE --like {name} --out FOLDER"


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0, or 2 for bad input."""
    return run_app(app, argv, "python -m search.presets")


if __name__ == "__main__":
    sys.exit(main())
