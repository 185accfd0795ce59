"""`python -m search.confirm --study mixer_cifar`: its front over fresh seeds, test read once."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

from runs.options import CheckpointDir, Storage, StudyName, WeightsDir
from search import options
from search.confirmation import confirm_study
from search.interrupted import goes_on_with_the_same_command, same_command
from search.report.lines import print_line
from search.spec.confirmation import ConfirmationSettings
from space.command import Json, Version, make_app, print_json, run_app
from space.quantities import parse_count

app = make_app()


@app.command(
    help="Confirm the front of a study that has been searched: its candidates are trained again "
    "with seeds the search never had, fresh validation says who is on the front, and the test "
    "split, opened once, reports. Repeating a command goes on with it.",
    epilog="Example: python -m search.confirm --study mixer_cifar --seeds 5",
    no_args_is_help=True,
)
def confirm(
    study: StudyName,
    seeds: Annotated[
        int,
        typer.Option(
            help="Trainings a candidate, in the mean: three each, the rest where they decide most.",
            metavar="K",
        ),
    ] = 5,
    uniform: Annotated[
        bool, typer.Option("--uniform", help="Give every candidate as many.")
    ] = False,
    candidates: Annotated[
        int,
        typer.Option(
            help="Configurations of every searched family, at most; baselines come besides.",
            metavar="N",
        ),
    ] = 12,
    max_training_flops: Annotated[
        str | None,
        typer.Option(
            help="Begin no training that would exceed so many in all: 500T, 2P.",
            metavar="FLOPS",
            show_default="none",
        ),
    ] = None,
    timeout: options.Timeout = None,
    level: Annotated[float, typer.Option(help="Of intervals.", metavar="SHARE")] = 0.95,
    keep_classes: Annotated[
        bool,
        typer.Option(
            "--keep-classes",
            help="Store the predicted class of every image, not only whether it is right.",
        ),
    ] = False,
    again: Annotated[
        bool,
        typer.Option(
            "--again",
            help="Confirm anew with other seeds, and read the test split once more: every page "
            "says how often it was read.",
        ),
    ] = False,
    storage: Storage = None,
    data_dir: options.DataDir = None,
    archive: options.Archive = None,
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
    weights_dir: WeightsDir = None,
    dry_run: options.DryRun = False,
    as_json: Json = False,
    version: Version = False,
) -> None:
    """Parses, calls, returns."""
    # Takes a second
    from search.confirmation_forecast import forecast
    from search.report.confirmation import facts

    console = Console(stderr=as_json)
    max_flops = None if max_training_flops is None else parse_count(max_training_flops)
    if dry_run:
        settings = ConfirmationSettings(
            seeds=seeds,
            candidates=candidates,
            level=level,
            again=again,
            is_uniform=uniform,
            max_training_flops=max_flops,
        )
        planned = forecast(study, settings, storage)
        if as_json:
            print_json(planned.facts())
        else:
            for line in planned.lines():
                print_line(console, line)
        return
    with goes_on_with_the_same_command(console, "search.confirm"):
        found = confirm_study(
            study,
            seeds=seeds,
            uniform=uniform,
            candidates=candidates,
            level=level,
            max_training_flops=max_flops,
            keep_classes=keep_classes,
            again=again,
            storage=storage,
            workers=workers,
            progress=console,
            data_dir=data_dir,
            archive=archive,
            device=device,
            workers_per_device=workers_per_device,
            engine=engine,
            ray_address=ray_address,
            timeout=timeout,
            trial_timeout=trial_timeout,
            retry_failed=retry_failed,
            checkpoint_every=checkpoint_every,
            checkpoint_dir=checkpoint_dir,
            keep_checkpoints=keep_checkpoints,
            weights_dir=weights_dir,
            command=same_command("search.confirm", sys.argv[1:]),
        )
    if as_json:
        print_json(None if found is None else facts(found))


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0, 2 for bad input, 130 and 143 for signals."""
    return run_app(app, argv, "python -m search.confirm")


if __name__ == "__main__":
    sys.exit(main())
