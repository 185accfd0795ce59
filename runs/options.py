"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

from runs.storage import DEFAULT_STORAGE

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
