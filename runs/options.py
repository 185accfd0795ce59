"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from runs.storage import DEFAULT_STORAGE
from space.paths import as_path

Storage = Annotated[
    str | None,
    typer.Option(
        help="Database URL; by default $MIXER_STORAGE (which keeps a password out of the list of "
        f"processes) or {DEFAULT_STORAGE}.",
        metavar="URL",
        show_default=False,
    ),
]

StudyName = Annotated[str, typer.Option(help="The study's name.", metavar="NAME")]

CheckpointDir = Annotated[
    Path | None,
    typer.Option(
        parser=as_path,
        help="The folder with checkpoints; by default beside the database's file, with PostgreSQL "
        "in runs/.",
        metavar="DIR",
        show_default=False,
    ),
]

WeightsDir = Annotated[
    Path | None,
    typer.Option(
        parser=as_path,
        help="The folder with weights; by default beside the database's file, with PostgreSQL in "
        "runs/.",
        metavar="DIR",
        show_default=False,
    ),
]
