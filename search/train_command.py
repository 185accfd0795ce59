"""`python -m search.train --preset mixer_cifar --dataset cifar10`: trains one configuration."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Annotated, Any, TypeVar

import pydantic
import typer
from rich.console import Console

from runs.options import CheckpointDir, Storage, WeightsDir
from runs.record import Origin
from search import options
from search.data import DataError
from search.dry_run import forecast, planned_early, show
from search.interrupted import goes_on_with_the_same_command
from search.launch import run_study
from search.result import StudyResult, trial_facts
from search.spec.assignments import parse_assignments
from search.spec.data_spec import DataSpec
from search.spec.recipe import Recipe
from search.spec.rungs import NO_RUNGS
from search.spec.studies import STUDIES, StudyError, StudySpec, recipe_for, with_changes
from space import presets
from space.command import Json, Version, make_app, print_json, run_app
from space.errors import explain

EXAMPLE = """\b
Example, the winner of a study trained longer, with three seeds:
  python -m search.train --preset runs/presets/mixer_cifar_knee.json \\
    --epochs 300 --seeds 3
"""

F = TypeVar("F", Recipe, DataSpec)

app = make_app()


@app.command(
    help="Train one configuration, as a study of its own: a trial a seed. Repeating a command goes "
    "on with it.",
    epilog=EXAMPLE,
    no_args_is_help=True,
)
def train(
    preset: Annotated[
        str,
        typer.Option(
            help="A preset by its name, a .json file, or a folder.", metavar="NAME|FILE|FOLDER"
        ),
    ],
    dataset: Annotated[
        str | None,
        typer.Option(
            help="A data set, as a study file names it.",
            metavar="DATASET",
            show_default="where the preset was found",
        ),
    ] = None,
    study_name: Annotated[
        str | None,
        typer.Option(
            help="Under which the results are kept.",
            metavar="NAME",
            show_default="PRESET_on_DATASET_EPOCHS",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            help="Passes over the training images.", metavar="N", show_default="the recipe's"
        ),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(help="Trainings, each a trial.", metavar="K", show_default="1")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of the first training.", metavar="N", show_default="0")
    ] = None,
    train_limit: Annotated[
        int | None,
        typer.Option(help="Only the first N training images.", metavar="N", show_default="all"),
    ] = None,
    assignments: options.Set = None,
    storage: Storage = None,
    data_dir: options.DataDir = None,
    archive: options.Archive = None,
    skip_broken: options.SkipBroken = False,
    device: options.Device = "auto",
    engine: options.Engine = "local",
    ray_address: options.RayAddress = None,
    trial_timeout: options.TrialTimeout = "24h",
    retry_failed: options.RetryFailed = False,
    checkpoint_every: options.CheckpointEvery = "30s",
    checkpoint_dir: CheckpointDir = None,
    keep_checkpoints: options.KeepCheckpoints = False,
    keep_weights: options.KeepWeights = "all",
    weights_dir: WeightsDir = None,
    dry_run: options.DryRun = False,
    as_json: Json = False,
    version: Version = False,
) -> None:
    """Parses, calls, returns."""
    console = Console(stderr=as_json)
    found = presets.load(preset)
    data = dataset or found.source.get("dataset")
    if not isinstance(data, str):
        raise StudyError(
            f"--preset {preset}: it does not say on what data it was found; give --dataset NAME"
        )
    given = StudySpec(
        name="new",
        dataset=data,
        recipe=recipe_of(found, data),
        data=data_for(found, data),
        trials=0,
        baselines=(preset,),
        rungs=NO_RUNGS,
    )
    spec = with_changes(
        given,
        parse_assignments(assignments or (), given),
        epochs=epochs,
        seed=seed,
        seeds=seeds,
        train_limit=train_limit,
        skip_broken=skip_broken,
    )
    words = [found.name, "on", data, str(spec.recipe.epochs)]
    default = "_".join("".join(c if c.isalnum() else "_" for c in word) for word in words)
    spec = with_changes(spec, name=study_name or default)
    with suppress(DataError):  # of a data set that is not here yet, its images say it later
        planned_early(spec, data_dir)
    if dry_run:
        show(forecast(spec, storage, data_dir, with_baselines=True), console, as_json=as_json)
        return
    with goes_on_with_the_same_command(console, "search.train"):
        result = run_study(
            spec,
            storage=storage,
            workers=1,
            progress=console,
            data_dir=data_dir,
            archive=archive,
            device=device,
            engine=engine,
            ray_address=ray_address,
            trial_timeout=trial_timeout,
            retry_failed=retry_failed,
            checkpoint_every=checkpoint_every,
            checkpoint_dir=checkpoint_dir,
            keep_checkpoints=keep_checkpoints,
            keep_weights=keep_weights,
            weights_dir=weights_dir,
        )
    if as_json:
        print_json(facts(result, preset))


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0; 2 for bad input; 130 after Ctrl-C, 143 after SIGTERM."""
    return run_app(app, argv, "python -m search.train")


def recipe_of(preset: presets.Preset, dataset: str) -> Recipe:
    """The recipe a preset was found with on the data set, else that of the built-in study on it.

    Raises:
        StudyError: the preset's recipe is not one of this version.
    """
    family = preset.config.family
    built_in = (recipe_for(spec, family) for spec in STUDIES.values() if spec.dataset == dataset)
    return _found_with(preset, dataset, "recipe", Recipe) or next(built_in, Recipe())


def data_for(preset: presets.Preset, dataset: str) -> DataSpec:
    """How the images were read on which a preset was found, where that is the data set.

    Raises:
        StudyError: what the preset says of its images is not of this version.
    """
    return _found_with(preset, dataset, "data", DataSpec) or DataSpec()


def _found_with(preset: presets.Preset, dataset: str, field: str, kind: type[F]) -> F | None:
    """A part of the study in which a preset was found, if that was on the data set."""
    found = preset.source.get(field)
    if found is None or preset.source.get("dataset") != dataset:
        return None
    try:
        return kind.model_validate(found)
    except pydantic.ValidationError as error:
        raise StudyError(
            f"preset {preset.name!r}: its source.{field} is not one of this version "
            f"({explain(error)}); take that out of the file, and give --set {field}.*"
        ) from None


def facts(result: StudyResult, preset: str) -> dict[str, Any]:
    """For `--json`: the trials of all seeds, and the mean of those that are complete."""
    trials = [t for t in result.trials if t.origin is Origin.BASELINE]
    accuracies = [t.accuracy for t in trials if t.accuracy is not None]
    return {
        "study": result.name,
        "storage": result.where,
        "dataset": result.study.spec.get("dataset"),
        "preset": preset,
        "accuracy": sum(accuracies) / len(accuracies) if accuracies else None,
        "trials": [trial_facts(t) for t in trials],
    }


if __name__ == "__main__":
    sys.exit(main())
