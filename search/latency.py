"""`python -m search.latency`: how long a network takes to answer, in JAX and in ONNX Runtime."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from runs.options import Storage
from search.bench.front_latency import measure_front, measure_untrained
from search.bench.latency import (
    BATCHES,
    RUNTIMES,
    Latency,
    LatencyError,
    limit_threads,
    measure,
)
from search.bench.latency_table import front_table, notes, table_of
from search.data.loading import to_stderr
from search.report.lines import print_line
from search.train.devices import KINDS
from space import presets
from space.command import Json, Version, make_app, print_json, run_app

app = make_app()


@app.command(
    help="Measure how long a network takes to answer: median and 95th percentile of at least 100 "
    "calls, from uint8 pixels to probabilities, in JAX and in ONNX Runtime. With --study, of one "
    "image, for the front of a study, whose page then draws accuracy against milliseconds.",
    epilog="Example: python -m search.latency --model mixer_cifar --batch 1 --threads 2",
    no_args_is_help=True,
)
def latency(
    model: Annotated[
        str | None,
        typer.Option(help="A winner's folder, or a preset's name or file.", metavar="FOLDER|NAME"),
    ] = None,
    study: Annotated[
        str | None,
        typer.Option(
            help="Measure this study's front and that of its baselines, and keep it as a cost, in "
            "place of what was measured before.",
            metavar="NAME",
        ),
    ] = None,
    batch: Annotated[
        list[int] | None,
        typer.Option(
            help="Images in a call; may be repeated.", metavar="N", show_default="1 and 64"
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(help="Processor cores to keep to.", metavar="N", show_default="all"),
    ] = None,
    runtime: Annotated[
        str | None,
        typer.Option(
            help="What to measure; by default both, where both can run the network.",
            metavar="jax|onnx|both",
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(help="JAX's; ONNX Runtime uses the CPU.", metavar="|".join(KINDS))
    ] = "auto",
    storage: Storage = None,
    as_json: Json = False,
    version: Version = False,
) -> None:
    """Parses, calls, prints."""
    if (model is None) == (study is None):
        raise LatencyError("what is to be measured? give --model or --study, and not both")
    runtimes = _runtimes(runtime)
    if study is not None and batch:
        raise LatencyError("--batch: with --study calls have one image; leave it out")
    if threads is not None:
        limit_threads(threads)
    if study is not None:
        measured = measure_front(study, storage, runtimes, device, to_stderr)
        latencies = [one for each in measured for one in each.latencies]
        trials = [
            {"trial": each.trial.number, "latencies": [_facts(one) for one in each.latencies]}
            for each in measured
        ]
        _report({"study": study, "trials": trials}, front_table(measured), latencies, as_json)
    elif model is not None:
        has_weights, latencies = _of_model(model, batch or BATCHES, runtimes, device)
        facts = {"model": model, "has_weights": has_weights}
        facts |= {"latencies": [_facts(one) for one in latencies]}
        _report(facts, table_of(latencies), latencies, as_json)


def _runtimes(asked: str | None) -> tuple[str, ...] | None:
    if asked not in {None, "both", *RUNTIMES}:
        raise LatencyError(f"--runtime {asked}: there is {', '.join(RUNTIMES)}; choose one or both")
    return RUNTIMES if asked == "both" else None if asked is None else (asked,)


def _of_model(
    name: str, batches: Sequence[int], runtimes: tuple[str, ...] | None, device: str
) -> tuple[bool, list[Latency]]:
    """Whether it has weights, and what was measured."""
    preset = presets.load(name)
    if preset.trained is None:
        to_stderr(f"{preset.name} has no weights: initial ones are timed, which take as long")
        return False, measure_untrained(preset.config, batches, runtimes, device, to_stderr)
    found = measure(
        preset.config,
        preset.params(),
        preset.trained.pixel_mean,
        preset.trained.pixel_std,
        batches=batches,
        runtimes=runtimes,
        device=device,
        say=to_stderr,
    )
    return True, found


def _report(
    facts: dict[str, Any], table: Table, latencies: Sequence[Latency], as_json: bool
) -> None:
    if as_json:
        print_json(facts)
        return
    console = Console()
    console.print(table)
    for line in notes(latencies):
        print_line(console, line)


def _facts(one: Latency) -> dict[str, Any]:
    """For JSON; no median where it is too noisy."""
    return asdict(one) | {"spread": one.spread}


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0, or 2 for bad input."""
    return run_app(app, argv, "python -m search.latency")


if __name__ == "__main__":
    sys.exit(main())
