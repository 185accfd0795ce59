"""`python -m runs export STUDY --out FILE`: trials, curves or the front as a table."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import runs
from runs.commands.names import Study
from runs.options import Storage
from runs.reader import open_reader
from runs.tabular_files import check_kind, write_table
from space.command import Json, Version, make_app, print_json, run_app, visible
from space.paths import as_path
from space.quantities import counted

if TYPE_CHECKING:
    import pandas as pd

app = make_app()


class What(StrEnum):
    """What is exported."""

    TRIALS = "trials"
    CURVES = "curves"
    FRONT = "front"


@app.command(
    help="Write a study as a table: its trials, their learning curves, or its front, cheapest "
    "first, with the mean over seeds and its 95 % interval.",
    epilog="Example: python -m runs export mixer_cifar --what front --out front.csv",
    no_args_is_help=True,
)
def export(
    study: Study,
    out: Annotated[
        Path, typer.Option(parser=as_path, help="A .csv, .parquet or .json file.", metavar="FILE")
    ],
    what: Annotated[
        What,
        typer.Option(help="A row a trial, an epoch, or a member of the front."),
    ] = What.TRIALS,
    storage: Storage = None,
    as_json: Json = False,
    version: Version = False,
) -> None:
    """Parses, calls, returns."""
    check_kind(out)
    match what:
        case What.TRIALS:
            frame = runs.frame(study, storage)
        case What.CURVES:
            frame = runs.curves(study, storage)
        case What.FRONT:
            frame = front_frame(study, storage)
    write_table(frame, out)
    if as_json:
        print_json({"study": study, "what": what.value, "file": str(out), "rows": len(frame)})
    else:
        print(visible(f"{counted(len(frame), 'row')} in {out}"))


def front_frame(study: str, storage: str | None = None) -> pd.DataFrame:
    """The front of a study's search, cheapest first: a row a configuration.

    Columns as of `runs.frame`, where `accuracy` is the mean over `seeds` trainings and `number` is
    the first one's; and `accuracy_low` and `accuracy_high`, 95 % as far as the noise is known.

    Raises:
        StorageError: no database there, or no such study in it.
    """
    from runs.frames import trials_frame  # here, as pandas is loaded for tables only
    from runs.snapshot import read_snapshot

    with open_reader(storage) as store:
        snapshot = read_snapshot(store, study)
    intervals = [snapshot.noise.interval(trial) for trial in snapshot.front]
    frame = trials_frame(snapshot.front, snapshot.study.min_accuracy, snapshot.study.cost)
    frame = frame.drop(columns=["seed"])
    after = [*frame.columns].index("accuracy") + 1
    found: dict[str, list[float | None]] = {
        "accuracy_low": [None if one is None else one.low for one in intervals],
        "accuracy_high": [None if one is None else one.high for one in intervals],
        "seeds": [snapshot.noise.seeds_behind(trial) for trial in snapshot.front],
    }
    for i, (name, values) in enumerate(found.items()):
        frame.insert(after + i, name, values)
    return frame


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0, or 2 for bad input."""
    return run_app(app, argv, "python -m runs export")
