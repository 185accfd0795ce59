"""`python -m search.export --study mixer_cifar --pick knee`: a winner as a preset file."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from runs import winners
from runs.options import Storage, StudyName
from runs.reader import open_reader
from runs.record import label_of
from runs.seeds import behind
from space import presets
from space.command import make_app, run_app
from space.errors import ConfigError
from space.quantities import format_count, parse_count

app = make_app()


@app.command(
    help="Write the best configuration of a study as a preset file.",
    epilog="Example: python -m search.export --study mixer_cifar --pick best --max-flops 20M",
    no_args_is_help=True,
)
def export(
    study: StudyName,
    pick: Annotated[
        str | None,
        typer.Option(
            help="knee (the default), best (most accurate), cheapest, or trial=N.",
            metavar="RULE",
        ),
    ] = None,
    max_flops: Annotated[
        str | None,
        typer.Option(
            help="Only trials of at most so many FLOPs; alone it means --pick best.",
            metavar="FLOPS",
        ),
    ] = None,
    min_accuracy: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Only trials at least so accurate (0 to 1); alone it means --pick cheapest. By "
            "default the study's own.",
            metavar="A",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="A .json file; by default runs/presets/STUDY_RULE.json, limits in its name too.",
            metavar="FILE",
        ),
    ] = None,
    storage: Storage = None,
) -> None:
    """Parses, calls, returns."""
    if out is not None and out.suffix != ".json":
        raise ConfigError(f"--out {out}: a preset is a .json file; name one that ends so")
    rule = pick or ("best" if max_flops else "knee" if min_accuracy is None else "cheapest")
    with open_reader(storage) as store:
        record, trials = store.study(study), store.trials(study)
    # What is named by its number, a baseline maybe, need not be what the study calls useful
    useful = 0.0 if rule.startswith("trial=") else record.min_accuracy
    trial = winners.pick(
        trials,
        rule,
        max_flops=None if max_flops is None else parse_count(max_flops),
        min_accuracy=useful if min_accuracy is None else min_accuracy,
    )
    asked = f"{study}_{rule}"
    for option, limit in (("max_flops", max_flops), ("min_accuracy", min_accuracy)):
        asked += "" if limit is None else f"_{option}_{limit}"
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", asked)
    path = out or Path("runs") / "presets" / f"{name}.json"
    preset = winners.preset_of(record, trial, name, trials)
    replaced = _replaced(path, preset)
    presets.save(preset, path)
    accuracy = "" if trial.accuracy is None else f", accuracy {100 * trial.accuracy:.1f} %"
    seeds = len(behind(trials, trial))
    if seeds > 1:
        accuracy += f" (mean of {seeds} seeds)"
    print(
        f"trial {trial.number}: {trial.label}, {format_count(trial.params)} parameters, "
        f"{format_count(trial.flops)}FLOPs{accuracy}"
    )
    print(f"written to {path}{replaced}; load it with space.presets.load({str(path)!r})")


def _replaced(path: Path, preset: presets.Preset) -> str:
    """What a preset takes the place of, to be said; empty for no file, or the same network."""
    if not os.path.exists(path):  # pathlib's raises where a name is too long
        return ""
    try:
        before = presets.load(path).config
    except ConfigError:
        return " in place of what was no preset"
    return "" if before == preset.config else f" in place of {label_of(before)}"


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0, or 2 for bad input."""
    return run_app(app, argv, "python -m search.export")


if __name__ == "__main__":
    sys.exit(main())
