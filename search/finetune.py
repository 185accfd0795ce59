"""`python -m search.finetune --from winner/ --dataset D`: trained weights, trained on."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console

from runs.options import CheckpointDir, Storage, WeightsDir
from runs.record import Origin
from runs.seeds import over_seeds
from search import options
from search.data import DataError
from search.finetuning import finetune_study
from search.finetuning_forecast import forecast, plan_early
from search.interrupted import goes_on_with_the_same_command
from search.report.lines import print_line
from search.result import StudyResult, trial_facts
from search.spec.assignments import parse_assignments
from search.spec.finetuning import RATES, checked_rates, finetuning_spec
from search.spec.studies import StudyError, StudySpec, with_changes
from space import presets
from space.command import Json, Version, make_app, print_json, run_app

EXAMPLE = """\b
Example, the winner of a study on images of another data set, enlarged to 64 pixels a side:
  python -m search.finetune --from winner/ --dataset folder:pictures \\
    --image-size 64 --epochs 20 --seeds 3
"""

app = make_app()


@app.command(
    help="Train the weights of a preset on with the images of another data set, with a new head of "
    "zeros. Each of several learning rates is tried in a study of its own, with one training; the "
    "study itself is trained at the best of them. Repeating a command goes on with it.",
    epilog=EXAMPLE,
    no_args_is_help=True,
)
def finetune(
    preset: Annotated[
        str, typer.Option("--from", help="A preset with weights.", metavar="FOLDER|NAME")
    ],
    dataset: Annotated[
        str, typer.Option(help="A data set, as a study file names it.", metavar="DATASET")
    ],
    image_size: Annotated[
        int | None,
        typer.Option(
            help="Enlarge the network to images of so many pixels a side; others are converted.",
            metavar="N",
            show_default="the preset's",
        ),
    ] = None,
    tokens: Annotated[
        str | None,
        typer.Option(
            help="Enlarge it by more tokens, in exact copies of the token MLPs that see every K-th "
            "token or one tile each.",
            metavar="strided|tiles",
            show_default="by larger patches",
        ),
    ] = None,
    rates: Annotated[
        str | None,
        typer.Option(
            help="Learning rates to choose from.",
            metavar="RATE,...",
            show_default="0.003,0.01,0.03,0.1; of adamw a tenth of these",
        ),
    ] = None,
    optimizer: Annotated[
        str, typer.Option(help="SGD has Nesterov momentum 0.9.", metavar="sgd|adamw")
    ] = "sgd",
    freeze: Annotated[
        bool, typer.Option("--freeze", help="Train the head alone: a linear probe.")
    ] = False,
    study_name: Annotated[
        str | None,
        typer.Option(
            help="Under which the results are kept.",
            metavar="NAME",
            show_default="PRESET_on_DATASET_finetuned",
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the training images.", show_default="10")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(help="Trainings, each a trial.", metavar="K", show_default="1")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of the first training.", metavar="N", show_default="0")
    ] = None,
    train_limit: options.TrainLimit = None,
    assignments: options.Set = None,
    storage: Storage = None,
    data_dir: options.DataDir = None,
    archive: options.Archive = None,
    skip_broken: options.SkipBroken = False,
    device: options.Device = "auto",
    workers: options.Workers = "1",
    workers_per_device: options.WorkersPerDevice = 1,
    engine: options.Engine = "local",
    ray_address: options.RayAddress = None,
    trial_timeout: options.TrialTimeout = "24h",
    retry_failed: options.RetryFailed = False,
    checkpoint_every: options.CheckpointEvery = "30s",
    checkpoint_dir: CheckpointDir = None,
    keep_checkpoints: options.KeepCheckpoints = False,
    weights_dir: WeightsDir = None,
    dry_run: options.DryRun = False,
    as_json: Json = False,
    version: Version = False,
) -> None:
    """Parses, calls, returns."""
    console = Console(stderr=as_json)
    found = presets.load(preset)
    given = finetuning_spec(
        found,
        dataset,
        image_size=image_size,
        tokens=tokens,  # type: ignore[arg-type]  # it is looked at there
        optimizer=optimizer,  # type: ignore[arg-type]
        freeze=freeze,
    )
    assigned = parse_assignments(assignments or (), given)
    if ("recipe", "learning_rate") in assigned:
        raise StudyError("--set recipe.learning_rate: learning rates are given by --rates")
    spec = with_changes(
        given,
        assigned,
        name=study_name or _default_name(found, given),
        epochs=epochs,
        seed=seed,
        seeds=seeds,
        train_limit=train_limit,
        skip_broken=skip_broken,
    )
    tried = checked_rates(RATES[optimizer] if rates is None else _numbers(rates))
    if dry_run:
        planned = forecast(found, spec, tried, storage, data_dir)
        if as_json:
            print_json(asdict(planned))
        else:
            print_line(console, planned.line)
        return
    with suppress(DataError):  # of a data set that is not here yet, its images say it later
        plan_early(found, spec, data_dir)
    with goes_on_with_the_same_command(console, "search.finetune"):
        result = finetune_study(
            spec,
            found,
            rates=tried,
            storage=storage,
            workers=workers,
            progress=console,
            data_dir=data_dir,
            archive=archive,
            device=device,
            workers_per_device=workers_per_device,
            engine=engine,
            ray_address=ray_address,
            trial_timeout=trial_timeout,
            retry_failed=retry_failed,
            checkpoint_every=checkpoint_every,
            checkpoint_dir=checkpoint_dir,
            keep_checkpoints=keep_checkpoints,
            weights_dir=weights_dir,
        )
    if as_json:
        print_json(facts(result))


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0; 2 for bad input; 130 after Ctrl-C, 143 after SIGTERM."""
    return run_app(app, argv, "python -m search.finetune")


def facts(result: StudyResult) -> dict[str, Any]:
    """For `--json`: what was started from, the rate, and the trainings of all seeds."""
    trials = [t for t in result.trials if t.origin is Origin.FINETUNE]
    mean = over_seeds(trials)
    return {
        "study": result.name,
        "storage": result.where,
        "dataset": result.study.spec.get("dataset"),
        "start_from": result.study.spec.get("start_from"),
        "rate_studies": result.study.spec.get("rate_studies", []),
        "learning_rate": (result.study.recipe_of(trials[0].family) or {}).get("learning_rate")
        if trials
        else None,
        "accuracy": mean[0].accuracy if mean else None,
        "trials": [trial_facts(t) for t in trials],
    }


def _default_name(preset: presets.Preset, spec: StudySpec) -> str:
    """Another one for each way to fine-tune a preset."""
    assert spec.start_from is not None, "a fine-tuning starts from weights"
    words = [preset.name, "on", spec.dataset, "probed" if spec.recipe.freeze else "finetuned"]
    if spec.data.image_size != spec.start_from.image_size:
        words += [str(spec.data.image_size), spec.start_from.tokens or ""]
    return "_".join("".join(c if c.isalnum() else "_" for c in word) for word in words if word)


def _numbers(text: str) -> list[float]:
    """Those of `--rates`.

    Raises:
        StudyError: one is no number.
    """
    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        raise StudyError(
            f"--rates {text}: give numbers with commas between them, as 0.01,0.03"
        ) from None


if __name__ == "__main__":
    sys.exit(main())
