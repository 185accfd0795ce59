"""`python -m search.run --study mixer_cifar`: runs a study, or goes on with it."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from runs.options import CheckpointDir, Storage, WeightsDir
from runs.storage import has_password, without_password
from search.report.progress import print_line
from search.spec.retry import RetryPolicy
from search.spec.rungs import NO_RUNGS
from search.spec.studies import STUDIES, StudyError, with_changes
from search.spec.study_file import find_study
from search.study.checkpoint_folder import Checkpoints
from search.study.kept_weights import CHOICES, WeightsOptions
from search.study.stop_signals import Stopping, Terminated
from search.train.compile_cache import use_compile_cache
from search.train.devices import KINDS, check_kind
from search.train.xla_options import use_xla_options
from search.workers.processes import open_workers
from search.workers.spawned import check_may_start
from space.command import make_app, run_app
from space.errors import MixerSearchError
from space.paths import as_path
from space.quantities import format_count, parse_amount, parse_count, parse_duration

EXAMPLE = """\b
Example, a quick look at CIFAR-10 on a laptop:
  python -m search.run --study mixer_cifar --study-name quick_look \\
    --trials 6 --epochs 3 --train-limit 4000 --max-flops 10M
"""

if TYPE_CHECKING:
    from search.data import ImageData
    from search.protocol import Workers

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
        str, typer.Option(help="A built-in study, or a .toml file.", metavar="NAME|FILE")
    ] = "",
    list_studies: Annotated[
        bool, typer.Option("--list", help="List the built-in studies and leave.")
    ] = False,
    study_name: Annotated[
        str | None, typer.Option(help="Keep the results under another name.", metavar="NAME")
    ] = None,
    trials: Annotated[
        int | None, typer.Option(help="Mixers the study is to have in the end.", metavar="N")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the training images a trial.", metavar="N")
    ] = None,
    timeout: Annotated[
        str | None,
        typer.Option(help="Start no trial after so long: 45s, 30m, 2h.", metavar="TIME"),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of sampler and training.", metavar="N")] = None,
    seeds: Annotated[
        int | None,
        typer.Option(help="Trainings of every configuration; their mean counts.", metavar="K"),
    ] = None,
    max_flops: Annotated[
        str | None,
        typer.Option(help="Dearest Mixer tried, one image forward: 20M, 1.5G.", metavar="FLOPS"),
    ] = None,
    max_cost: Annotated[
        str | None,
        typer.Option(
            help="Dearest Mixer tried in what the study minimises, such as 200k parameters.",
            metavar="COST",
        ),
    ] = None,
    min_accuracy: Annotated[
        float | None,
        typer.Option(help="Less accurate trials count as useless (0 to 1).", metavar="A"),
    ] = None,
    train_limit: Annotated[
        int | None,
        typer.Option(help="Only the first N training images, for a quick look.", metavar="N"),
    ] = None,
    sampler: Annotated[
        str | None,
        typer.Option(help="Who proposes configurations.", metavar="cost_aware|tpe|nsga2|random"),
    ] = None,
    rungs: Annotated[
        bool,
        typer.Option(
            "--rungs/--no-rungs", help="Stop trials that are too far behind before their end."
        ),
    ] = True,
    baselines: Annotated[
        bool, typer.Option("--baselines/--no-baselines", help="Train the ViTs to compare with.")
    ] = True,
    storage: Storage = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            parser=as_path,
            help="Folder with prepared TFDS data sets; by default $TFDS_DATA_DIR or "
            "~/tensorflow_datasets.",
            metavar="DIR",
        ),
    ] = None,
    archive: Annotated[
        Path | None,
        typer.Option(
            parser=as_path,
            help="The data set's original archive, or the folder of its original files, instead "
            "of a download.",
            metavar="FILE|DIR",
        ),
    ] = None,
    skip_broken: Annotated[
        bool,
        typer.Option("--skip-broken", help="Leave out files of a folder that are no images."),
    ] = False,
    device: Annotated[str, typer.Option(help="Where to train.", metavar="|".join(KINDS))] = "auto",
    workers: Annotated[
        str,
        typer.Option(
            help="Trials trained side by side, each on an accelerator of its own, or on its share "
            "of the CPU's cores; auto: --workers-per-device for every accelerator there is.",
            metavar="N|auto",
        ),
    ] = "auto",
    workers_per_device: Annotated[
        int,
        typer.Option(
            help="Workers that share an accelerator, its memory divided evenly: small networks "
            "leave most of one idle. A CPU is shared by all workers.",
            metavar="K",
        ),
    ] = 1,
    engine: Annotated[
        str,
        typer.Option(
            help="Where workers live: processes of this machine, or actors on a Ray cluster.",
            metavar="local|ray",
        ),
    ] = "local",
    ray_address: Annotated[
        str | None,
        typer.Option(
            help="Of the Ray cluster's head; auto: of the cluster this machine is a node of.",
            metavar="HOST:PORT|auto",
        ),
    ] = None,
    trial_timeout: Annotated[
        str, typer.Option(help="A trial that takes longer has failed.", metavar="TIME")
    ] = "6h",
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed",
            help="Train those again that failed by no fault of their own: they ran into the time "
            "limit, lost their worker, or had no memory. With a higher --trial-timeout those that "
            "ran into it are trained again without being asked to.",
        ),
    ] = False,
    checkpoint_every: Annotated[
        str,
        typer.Option(
            help="How often a trial under way is kept, to go on from there after an interruption.",
            metavar="TIME",
        ),
    ] = "30s",
    checkpoint_dir: CheckpointDir = None,
    keep_checkpoints: Annotated[
        bool,
        typer.Option(
            "--keep-checkpoints", help="Keep the last checkpoint of every trial that has ended."
        ),
    ] = False,
    keep_weights: Annotated[
        str,
        typer.Option(
            help="Whose weights to keep: of complete trials on the front (removed when they leave "
            "it), of all complete trials, or of none.",
            metavar="|".join(CHOICES),
        ),
    ] = "front",
    weights_dir: WeightsDir = None,
) -> None:
    """Parses, calls, returns."""
    console = Console()
    if list_studies:
        console.print(studies_table())
        return
    if not study:
        raise StudyError("no study was named; give --study NAME (--list shows the built-in ones)")
    spec = with_changes(
        find_study(study),
        name=study_name,
        trials=trials,
        epochs=epochs,
        seed=seed,
        seeds=seeds,
        max_flops=None if max_flops is None else _parsed("--max-flops", max_flops, parse_count),
        max_cost=None if max_cost is None else _parsed("--max-cost", max_cost, parse_amount),
        min_accuracy=min_accuracy,
        train_limit=train_limit,
        sampler=sampler,
        skip_broken=skip_broken,
        rungs=None if rungs else NO_RUNGS,
    )
    seconds = None if timeout is None else _parsed("--timeout", timeout, parse_duration)
    trial_seconds = _parsed("--trial-timeout", trial_timeout, parse_duration)
    interval = _parsed("--checkpoint-every", checkpoint_every, parse_duration)
    checkpoints = Checkpoints(checkpoint_dir, interval, keep_checkpoints)
    checkpoints.check()
    weights = WeightsOptions(keep_weights, weights_dir)
    weights.check()
    check_may_start()
    stopping = Stopping()
    stopping.listen()

    began = time.monotonic()
    try:
        with _open_workers(
            console,
            engine,
            ray_address,
            _count(workers),
            device,
            workers_per_device,
            trial_seconds,
            storage,
        ) as start_workers:
            from search.study.run_study import run_study  # takes a second, in which workers start

            run_study(
                spec,
                console,
                start_workers=start_workers,
                storage=storage,
                data_dir=data_dir,
                archive=archive,
                with_baselines=baselines,
                checkpoints=checkpoints,
                weights=weights,
                retry=RetryPolicy(failed=retry_failed, trial_seconds=trial_seconds),
                deadline=None if seconds is None else began + seconds,
                check_stop=stopping.check,
            )
    except KeyboardInterrupt as stop:
        print_line(
            console,
            "\nStopped. Finished trials are stored; one that was running goes on from its last "
            "checkpoint.\n"
            f"Go on with the same command: {_same_command(sys.argv[1:])}",
        )
        raise typer.Exit(143 if isinstance(stop, Terminated) else 130) from None


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0; 2 for bad input; 130 after Ctrl-C, 143 after SIGTERM.

    A study that comes to its end ends with 0, also where all its trials have failed.
    """
    return run_app(app, argv, "python -m search.run")


def studies_table() -> Table:
    """The built-in studies, a line each."""
    from search.data import find_task
    from search.study.open_study import plan

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("study", "data set", "images", "space", "FLOPs", "trials", "epochs", "ViTs"):
        left = column in {"study", "data set", "images"}
        table.add_column(column, justify="left" if left else "right", no_wrap=True)
    for spec in STUDIES.values():
        task = find_task(spec.dataset)
        planned = plan(spec, task)
        table.add_row(
            spec.name,
            spec.dataset,
            f"{task.image_size}x{task.image_size}x{task.image_channels}",
            f"{planned.num_configurations:,}",
            f"< {format_count(planned.flops_ceiling)}",
            str(spec.trials),
            str(spec.recipe.epochs),
            str(len(planned.baselines)),
        )
    return table


def _open_workers(
    console: Console,
    engine: str,
    ray_address: str | None,
    count: int | None,
    device: str,
    per_device: int,
    trial_seconds: float,
    storage: str | None,
) -> AbstractContextManager[Callable[[ImageData], Workers]]:
    """Workers of the engine that was asked for."""
    check_kind(device)
    if engine not in {"local", "ray"}:
        raise StudyError(f"--engine {engine}: there is local and ray; choose one")
    if per_device < 1:
        raise StudyError(
            f"--workers-per-device {per_device}: a device has one worker or more; give 1 or more"
        )
    if engine == "ray":
        if storage and has_password(storage):
            raise StudyError(
                "--engine ray: Ray keeps the command line of whoever uses it, for all to see, and "
                "--storage holds a password; name the storage in MIXER_STORAGE, or keep the "
                "password in ~/.pgpass"
            )
        from search.workers.ray_pool import open_ray_workers

        address = ray_address or "auto"
        return open_ray_workers(
            count,
            device,
            per_device=per_device,
            address=address,
            trial_seconds=trial_seconds,
        )
    if ray_address is not None:
        raise StudyError(
            f"--ray-address {ray_address}: workers are processes of this machine (--engine local); "
            "add --engine ray"
        )
    use_xla_options()
    use_compile_cache(partial(print_line, console))
    return open_workers(count, device, per_device=per_device, trial_seconds=trial_seconds)


def _parsed(option: str, text: str, parse: Callable[[str], T]) -> T:
    """The value of an option, which its error names."""
    try:
        return parse(text)
    except MixerSearchError as error:
        raise StudyError(f"{option}: {error}") from None


def _count(workers: str) -> int | None:
    """How many workers; None for as many as there are accelerators."""
    if workers == "auto":
        return None
    if not workers.isdecimal() or int(workers) < 1:
        raise StudyError(f"--workers {workers}: neither a number from 1 on nor auto; give one")
    return int(workers)


def _same_command(argv: list[str]) -> str:
    """What was typed, as it may be printed."""
    shown = ["python", "-m", "search.run"]
    for word in argv:
        option, equals, value = word.partition("=")
        if shown[-1] == "--storage":
            word = without_password(word)
        elif option == "--storage" and equals:
            word = f"--storage={without_password(value)}"
        shown.append(word)
    return shlex.join(shown)


if __name__ == "__main__":
    sys.exit(main())
