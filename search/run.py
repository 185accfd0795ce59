"""`python -m search.run --study mixer_cifar`: runs a study, or goes on with it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from runs.options import CheckpointDir, Storage, WeightsDir
from search import options
from search.confirmation import confirm_study, repeat_study
from search.dry_run import forecast, show
from search.interrupted import goes_on_with_the_same_command, same_command
from search.launch import run_study
from search.spec.assignments import parse_assignments
from search.spec.rungs import NO_RUNGS
from search.spec.studies import STUDIES, StudyError, with_changes
from search.spec.study_file import find_study
from search.study.stored import stored_study
from space.command import Json, Version, make_app, print_json, run_app
from space.errors import MixerSearchError
from space.quantities import format_count, parse_amount, parse_count

EXAMPLE = """\b
Example, a quick look at CIFAR-10 on a laptop:
  python -m search.run --study mixer_cifar --study-name quick_look \\
    --trials 6 --epochs 3 --train-limit 4000 --max-flops 10M
"""

T = TypeVar("T")

app = make_app()


@app.command(
    help="Search for MLP-Mixers that are as accurate as they can be for their FLOPs. "
    "Repeating a command goes on with its study.",
    epilog=EXAMPLE,
    no_args_is_help=True,
)
def run(
    study: Annotated[
        str,
        typer.Option(
            help="A built-in study, or a .toml file.", metavar="NAME|FILE", show_default=False
        ),
    ] = "",
    resume: Annotated[
        str | None,
        typer.Option(
            help="Go on with a study of the database, as it was asked for.", metavar="NAME"
        ),
    ] = None,
    list_studies: Annotated[
        bool, typer.Option("--list", help="List the built-in studies and leave.")
    ] = False,
    study_name: options.StudyName = None,
    trials: Annotated[
        int | None,
        typer.Option(
            help="Configurations the study is to have in the end.",
            metavar="N",
            show_default=options.OF_THE_STUDY,
        ),
    ] = None,
    epochs: options.Epochs = None,
    timeout: options.Timeout = None,
    stop_when_flat: Annotated[
        int | None,
        typer.Option(
            help="End when the hypervolume has not grown over N trials.",
            metavar="N",
            show_default="never",
        ),
    ] = None,
    seed: options.Seed = None,
    seeds: options.Seeds = None,
    max_flops: Annotated[
        str | None,
        typer.Option(
            help="Dearest configuration tried, one image forward: 20M, 1.5G.",
            metavar="FLOPS",
            show_default=options.OF_THE_STUDY,
        ),
    ] = None,
    max_cost: Annotated[
        str | None,
        typer.Option(
            help="The same in what the study minimises, such as 200k parameters.",
            metavar="COST",
            show_default=options.OF_THE_STUDY,
        ),
    ] = None,
    min_accuracy: Annotated[
        float | None,
        typer.Option(
            help="Less accurate trials count as useless (0 to 1).",
            metavar="A",
            show_default=options.OF_THE_STUDY,
        ),
    ] = None,
    train_limit: options.TrainLimit = None,
    sampler: Annotated[
        str | None,
        typer.Option(
            help="Who proposes configurations.",
            metavar="cost_aware|tpe|nsga2|random",
            show_default=options.OF_THE_STUDY,
        ),
    ] = None,
    rungs: Annotated[
        bool,
        typer.Option(
            "--rungs/--no-rungs", help="Stop trials that are too far behind before their end."
        ),
    ] = True,
    baselines: Annotated[
        bool | None,
        typer.Option(
            "--baselines/--no-baselines",
            help="Train those to compare with, ViTs unless they are searched.",
            show_default="baselines",
        ),
    ] = None,
    tune_rate: Annotated[
        bool | None,
        typer.Option(
            "--tune-rate/--no-tune-rate",
            help="Find a learning rate a family before the search, by short trainings.",
            show_default="where families are compared by 20 trials or more",
        ),
    ] = None,
    warm_start: Annotated[
        list[str] | None,
        typer.Option(
            "--warm-start",
            help="Learn from the trials of an earlier study, of this database or another; "
            "repeatable.",
            metavar="STUDY|URL#STUDY",
            show_default=False,
        ),
    ] = None,
    assignments: options.Set = None,
    repeats: Annotated[
        bool,
        typer.Option(
            "--repeats",
            help="In the end train two configurations of the front three times more, for the "
            "noise of a training.",
        ),
    ] = False,
    then_confirm: Annotated[
        bool,
        typer.Option(
            "--then-confirm", help="In the end confirm the front, as search.confirm does."
        ),
    ] = False,
    storage: Storage = None,
    data_dir: options.DataDir = None,
    archive: options.Archive = None,
    skip_broken: options.SkipBroken = False,
    device: options.Device = "auto",
    workers: options.Workers = "auto",
    workers_per_device: options.WorkersPerDevice = 1,
    engine: options.Engine = "local",
    ray_address: options.RayAddress = None,
    trial_timeout: options.TrialTimeout = "6h",
    retry_failed: options.RetryFailed = False,
    checkpoint_every: options.CheckpointEvery = "30s",
    checkpoint_dir: CheckpointDir = None,
    keep_checkpoints: options.KeepCheckpoints = False,
    keep_weights: options.KeepWeights = "front",
    weights_dir: WeightsDir = None,
    dry_run: options.DryRun = False,
    as_json: Json = False,
    version: Version = False,
) -> None:
    """Parses, calls, returns."""
    console = Console(stderr=as_json)
    if list_studies:
        if as_json:
            print_json(built_in_studies())
        else:
            console.print(studies_table())
        return
    asked: dict[str, Any] = {}
    if resume is not None:
        if study or study_name:
            other = "--study" if study else "--study-name"
            raise StudyError(
                f"--resume {resume}: the study is named there, with all it was asked for; leave "
                f"{other} out, or leave --resume out to begin another"
            )
        spec, asked = stored_study(resume, storage, trials)
    elif study:
        spec = find_study(study)
    else:
        raise StudyError("no study was named; give --study NAME (--list shows the built-in ones)")
    spec = with_changes(
        spec,
        parse_assignments(assignments or (), spec),
        name=study_name,
        trials=trials,
        epochs=epochs,
        seed=seed,
        seeds=seeds,
        max_flops=None if max_flops is None else _parsed("--max-flops", max_flops, parse_count),
        max_cost=None if max_cost is None else _parsed("--max-cost", max_cost, parse_amount),
        min_accuracy=min_accuracy,
        train_limit=train_limit,
        skip_broken=skip_broken,
        sampler=sampler,
        warm_start=tuple(warm_start) if warm_start else None,
        rungs=None if rungs else NO_RUNGS,
    )
    with_baselines = asked.get("baselines", True) if baselines is None else baselines
    if stop_when_flat is None:
        stop_when_flat = asked.get("stop_when_flat")
    if tune_rate is None and not spec.learning_rates:
        tune_rate = asked.get("tune_rate")
    if dry_run:
        found = forecast(
            spec, storage, data_dir, with_baselines=with_baselines, tune_rate=tune_rate
        )
        show(found, console, as_json=as_json)
        return
    how: dict[str, Any] = {
        "storage": storage,
        "workers": workers,
        "progress": console,
        "data_dir": data_dir,
        "archive": archive,
        "device": device,
        "workers_per_device": workers_per_device,
        "engine": engine,
        "ray_address": ray_address,
        "timeout": timeout,
        "trial_timeout": trial_timeout,
        "retry_failed": retry_failed,
        "checkpoint_every": checkpoint_every,
        "checkpoint_dir": checkpoint_dir,
        "keep_checkpoints": keep_checkpoints,
        "weights_dir": weights_dir,
    }
    confirmed = None
    with goes_on_with_the_same_command(console, "search.run"):
        result = run_study(
            spec,
            baselines=with_baselines,
            tune_rate=tune_rate,
            stop_when_flat=stop_when_flat,
            keep_weights=keep_weights,
            **how,
        )
        if result.ended != "timeout" and result.front:
            if repeats:
                repeat_study(spec.name, **how)
            if then_confirm:
                command = same_command("search.run", sys.argv[1:])
                confirmed = confirm_study(spec.name, command=command, **how)
    if as_json:
        facts = result.facts()
        if confirmed is not None:
            from search.report.confirmation import facts as confirmed_facts

            facts |= {"confirmation": confirmed_facts(confirmed)}
        print_json(facts)


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0; 2 for bad input; 130 after Ctrl-C, 143 after SIGTERM.

    A study that comes to its end ends with 0, also where all its trials have failed.
    """
    return run_app(app, argv, "python -m search.run")


def built_in_studies() -> list[dict[str, Any]]:
    """A row a built-in study."""
    from search.data import find_task
    from search.study.plan import plan

    rows = []
    for spec in STUDIES.values():
        task = find_task(spec.dataset)
        planned = plan(spec, task)
        rows.append(
            {
                "study": spec.name,
                "dataset": spec.dataset,
                **task.model_dump(),
                "configurations": planned.num_affordable(task),
                "flops_ceiling": planned.flops_ceiling,
                "trials": spec.trials,
                "epochs": spec.recipe.epochs,
                "baselines": len(planned.baselines),
            }
        )
    return rows


def studies_table() -> Table:
    """The built-in studies, a line each."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("study", "data set", "images", "space", "FLOPs", "trials", "epochs", "given"):
        left = column in {"study", "data set", "images"}
        table.add_column(column, justify="left" if left else "right", no_wrap=True)
    for row in built_in_studies():
        table.add_row(
            row["study"],
            row["dataset"],
            f"{row['image_size']}x{row['image_size']}x{row['image_channels']}",
            f"{row['configurations']:,}",
            f"{format_count(row['flops_ceiling'])}",
            str(row["trials"]),
            str(row["epochs"]),
            str(row["baselines"]),
        )
    return table


def _parsed(option: str, text: str, parse: Callable[[str], T]) -> T:
    """The value of an option, which its error names."""
    try:
        return parse(text)
    except MixerSearchError as error:
        raise StudyError(f"{option}: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
