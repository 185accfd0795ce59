"""`python -m search.bench`: how fast this machine trains, and how far that is from its limits."""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import typer
from rich.console import Console
from rich.table import Table

from search.bench.result import keep_result
from search.bench.roofline import Ceilings, measure_ceilings
from search.bench.speed import Speed, check_room, measure
from search.data.loading import to_stderr
from search.report.lines import print_line
from search.train.devices import KINDS, choose, compute_dtype
from search.train.environment import find_environment
from search.train.machine import cpu_model, num_cores
from search.train.xla_options import use_xla_options
from space import presets
from space.command import Json, Version, make_app, print_json, run_app
from space.config import Config
from space.errors import MixerSearchError
from space.families import label_of
from space.quantities import format_count

_FIRST = presets.load("mixer_cifar").config

LADDER: tuple[Config, ...] = (
    *(
        _FIRST.model_copy(
            update={
                "hidden_dim": hidden_dim,
                "num_blocks": num_blocks,
                "tokens_mlp_dim": hidden_dim // 2,
                "channels_mlp_dim": 4 * hidden_dim,
            }
        )
        for hidden_dim in (64, 128, 256)
        for num_blocks in (4, 8)
    ),
    presets.load("vit_ti4_cifar").config,
)
"""The networks measured, in this order."""

app = make_app()


class BenchError(MixerSearchError):
    """A number that nothing can be measured with."""


@app.command(
    help="Measure this machine: its fastest matrix product and copy, then how fast a ladder of "
    "Mixers and a ViT train beside what those two allow, and how long they compile.",
    epilog="Example: python -m search.bench --json > bench.json",
)
def bench(
    batch_size: Annotated[
        int | None, typer.Option(help="By default 64 on a CPU, 512 elsewhere.", metavar="N")
    ] = None,
    seconds: Annotated[
        float, typer.Option(help="To train each network, at least two epochs.", metavar="S")
    ] = 3.0,
    device: Annotated[str, typer.Option(help="What to measure.", metavar="|".join(KINDS))] = "auto",
    as_json: Json = False,
    version: Version = False,
) -> None:
    """Parses, measures, prints."""
    if batch_size is not None and batch_size < 1:
        raise BenchError(f"--batch-size {batch_size}: a step needs images; give 1 or more")
    if not 0 < seconds < math.inf:
        raise BenchError(f"--seconds {seconds:g}: measuring takes time; give 3, more or less")
    use_xla_options()
    if device == "cpu":
        jax.config.update("jax_platforms", "cpu")  # type: ignore[no-untyped-call]  # claim no other
    chosen = choose(device)
    batch = batch_size or (64 if chosen.platform == "cpu" else 512)
    for config in LADDER:
        check_room(config, batch, chosen)
    to_stderr(f"{_name(chosen)}: matrix products and copies")
    ceilings = measure_ceilings(chosen, compute_dtype(chosen), seconds / 3)
    speeds = []
    for number, config in enumerate(LADDER, start=1):
        to_stderr(f"[{number}/{len(LADDER)}] {label_of(config)}")
        speeds.append(measure(config, batch, chosen, ceilings, seconds))
    measured = facts(chosen, batch, seconds, ceilings, speeds)
    keep_result(measured)
    if as_json:
        print_json(measured)
        return
    console = Console()
    for line in heading(chosen, batch, ceilings):
        print_line(console, line)
    console.print(table_of(speeds))


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0, or 2 for bad input."""
    return run_app(app, argv, "python -m search.bench")


def facts(
    device: jax.Device, batch_size: int, seconds: float, ceilings: Ceilings, speeds: list[Speed]
) -> dict[str, Any]:
    """All that was measured and on what, ready for JSON; units are in the names."""
    around = find_environment(device)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "device_kind": device.device_kind,
        "cpu": {"model": cpu_model(), "cores": num_cores()},
        "versions": around.versions,
        "git_revision": around.git_revision,
        "dtype": jnp.dtype(compute_dtype(device)).name,
        "batch_size": batch_size,
        "seconds": seconds,
        "ceilings": asdict(ceilings),
        "networks": [asdict(speed) for speed in speeds],
    }


def heading(device: jax.Device, batch_size: int, ceilings: Ceilings) -> list[str]:
    """What the table was measured on, and the two ceilings."""
    dtype = jnp.dtype(compute_dtype(device)).name
    size = ceilings.matrix_size
    return [
        f"{_name(device)}, {dtype}, batch size {batch_size}, no augmentation",
        f"matrix product  {format_count(ceilings.flops_per_second)}FLOP/s ({size} x {size})",
        f"copy            {format_count(ceilings.bytes_per_second)}B/s, read and written",
        "",
    ]


def table_of(speeds: list[Speed]) -> Table:
    """A row a network."""
    table = Table(box=None, padding=(0, 1, 0, 0))  # eight columns in a terminal of 80 characters
    table.add_column("\nnetwork", no_wrap=True)
    for column in (
        *("\nMACs", "training\nimages/s", "\nFLOP/s", "roof-\nline"),
        *("trace\ns", "compile\ns", "cached\ns"),
    ):
        table.add_column(column, justify="right", no_wrap=True)
    for speed in speeds:
        warm = speed.compile_seconds_warm
        table.add_row(
            speed.name,
            format_count(speed.macs),
            f"{speed.images_per_second:,.0f}",
            format_count(speed.flops_per_second),
            f"{100 * speed.roofline_fraction:.0f} %",
            f"{speed.trace_seconds:.1f}",
            f"{speed.compile_seconds_cold:.1f}",
            "-" if warm is None else f"{warm:.2f}",
        )
    return table


def _name(device: jax.Device) -> str:
    return f"{cpu_model()}, {num_cores()} cores" if device.platform == "cpu" else device.device_kind
