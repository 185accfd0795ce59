"""`python -m search.export --study mixer_cifar --pick knee --out winner/`: the winner of a study.

As a folder with weights, or, where the output ends in `.json` or is not named, as a preset file.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from runs.confirmation.sentence import read_times
from runs.options import Storage, StudyName, WeightsDir
from runs.reader import open_reader
from search import options
from search.preset_names import in_place_of, preset_name, replaced
from search.result import trial_facts
from search.winner import Winner, pick_winner
from space import presets
from space.command import Json, Version, make_app, print_json, run_app
from space.errors import ConfigError
from space.paths import as_path
from space.quantities import format_count, parse_amount, parse_count

app = make_app()


@app.command(
    help="Write the best configuration of a study: as a folder with trained weights, in the "
    "formats that others read, or as a preset file without weights.",
    epilog="Example: python -m search.export --study mixer_cifar --max-flops 20M --out winner/ "
    "--format onnx",
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
    max_cost: Annotated[
        str | None,
        typer.Option(
            help="The same in what the study minimises, such as 200k parameters.", metavar="COST"
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
            parser=as_path,
            help="A folder, for weights and card too, or a .json file, for the configuration "
            "alone; by default runs/presets/STUDY_RULE.json, limits in its name too.",
            metavar="FOLDER|FILE",
        ),
    ] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            help="Of the folder, besides safetensors: each is read back and compared when it is "
            "written; repeatable.",
            metavar="npz|timm|onnx|jax|all",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            help="Of the training whose weights go into the folder.",
            metavar="N",
            show_default="the best on validation",
        ),
    ] = None,
    no_latency: Annotated[
        bool,
        typer.Option("--no-latency", help="Do not measure how long the network takes to answer."),
    ] = False,
    license: Annotated[  # noqa: A002  as cards call it
        str, typer.Option(help="Of the weights, for the card.", metavar="NAME")
    ] = "unknown",
    storage: Storage = None,
    data_dir: options.DataDir = None,
    weights_dir: WeightsDir = None,
    as_json: Json = False,
    version: Version = False,
) -> None:
    """Parses, calls, returns."""
    is_folder = out is not None and out.suffix.lower() != ".json"
    if not is_folder and (formats or seed is not None):
        asked = "--format" if formats else "--seed"
        raise ConfigError(f"{asked} is of a folder with weights; name one with --out FOLDER")
    is_limited = max_flops is not None or max_cost is not None
    rule = pick or ("best" if is_limited else "knee" if min_accuracy is None else "cheapest")
    with open_reader(storage) as store:
        winner = pick_winner(
            store,
            study,
            rule,
            max_flops=None if max_flops is None else parse_count(max_flops),
            max_cost=None if max_cost is None else parse_amount(max_cost),
            min_accuracy=min_accuracy,
        )
    limits = {"max_flops": max_flops, "max_cost": max_cost, "min_accuracy": min_accuracy}
    name = preset_name(study, rule, limits)
    facts = {"study": study, "seeds": len(winner.trainings), "trial": trial_facts(winner.trial)}
    if out is not None and is_folder:
        from search.formats.folder import replaceable  # what follows takes a second
        from search.winner_folder import export_winner

        before = replaceable(out)
        preset = export_winner(
            winner,
            out,
            name,
            storage=storage,
            data_dir=data_dir,
            weights_dir=weights_dir,
            formats=formats or (),
            seed=seed,
            license=license,
            with_latency=not no_latency,
        )
        if as_json:
            print_json({"folder": str(out)} | facts | folder_facts(preset))
            return
        print(winner_line(winner))
        for line in folder_lines(preset):
            print(line)
        place = in_place_of(before, preset) if before else ""
        print(f"written to {out}{place}; try python -m search.predict --model {out} IMAGE")
        return
    path = out or Path("runs") / "presets" / f"{name}.json"
    preset = winner.preset(name)
    place = replaced(path, preset, may_be_anothers=out is not None)
    presets.save(preset, path)
    if as_json:
        print_json({"file": str(path)} | facts)
        return
    print(winner_line(winner))
    print(f"written to {path}{place}; load it with space.presets.load({str(path)!r})")


def folder_facts(preset: presets.Preset) -> dict[str, Any]:
    """Of a folder that was written, for `--json`."""
    assert preset.trained is not None, "it was written with weights"
    names = ("weights", "test_readings", "formats", "latency", "command")
    found = {name: preset.source.get(name) for name in names}
    return {"sha256": preset.trained.sha256} | found


def folder_lines(preset: presets.Preset) -> list[str]:
    """Of a folder that was written: which weights, and how each format was proved."""
    from search.formats.proof import Proof

    weights = preset.source["weights"]
    own = weights["validation"]
    accuracy, low, high = (100 * own[name] for name in ("accuracy", "low", "high"))
    said = (
        f"weights of trial {weights['trial']}, seed {weights['seed']}: validation accuracy "
        f"{accuracy:.1f} % ({low:.1f} to {high:.1f} by its {own['num_images']:,} images)"
    )
    return [said, *(Proof(**found).sentence for found in preset.source["formats"])]


def winner_line(winner: Winner) -> str:
    """What was picked, and how accurate it is over its seeds."""
    trial, seeds = winner.trial, len(winner.trainings)
    own = trial.costs.get(winner.study.cost.name)
    other = "" if own is None else f", {winner.study.cost.shortly(own)}"
    accuracy = "" if trial.accuracy is None else f", accuracy {100 * trial.accuracy:.1f} %"
    if seeds > 1:
        accuracy += f" (mean of {seeds} seeds)"
    if winner.confirmed:
        accuracy = f", {_confirmed_words(winner.confirmed, seeds)}"
    return (
        f"trial {trial.number}: {trial.label}, {format_count(trial.params)} parameters, "
        f"{format_count(trial.flops)}FLOPs{other}{accuracy}"
    )


def _confirmed_words(facts: dict[str, Any], seeds: int) -> str:
    """What a confirmation says of the winner."""
    accuracy, low, high = (100 * facts[name] for name in ("accuracy", "low", "high"))
    split = facts["accuracy_split"]
    read = f", {read_times(facts['test_readings'])}" if split == "test" else ""
    return (
        f"confirmed: {split} accuracy {accuracy:.1f} % ({low:.1f} to {high:.1f}; {seeds} fresh "
        f"seeds{read}); its place on the front: {facts['front']}"
    )


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0, or 2 for bad input."""
    return run_app(app, argv, "python -m search.export")


if __name__ == "__main__":
    sys.exit(main())
