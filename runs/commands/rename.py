"""`python -m runs rename OLD NEW`: a study gets another name."""

from __future__ import annotations

from typing import Annotated

import typer

from runs.commands.names import open_existing, say
from runs.options import Storage
from runs.rename import rename_study
from space.command import Json, Version, make_app, print_json, run_app, visible

app = make_app()


@app.command(
    help="Rename a study that no process runs, and the studies that found its learning rates. "
    "Trials, curves, weights, checkpoints, confirmations, notes and readings of the test split "
    "stay its own.",
    epilog="Example: python -m runs rename mixer_cifar mixer_cifar_march",
    no_args_is_help=True,
)
def rename(
    old: Annotated[str, typer.Argument(help="The study's name.", metavar="OLD")],
    new: Annotated[str, typer.Argument(help="What it is to be called.", metavar="NEW")],
    storage: Storage = None,
    as_json: Json = False,
    version: Version = False,
) -> None:
    """Parses, calls, returns."""
    with open_existing(storage) as store:
        names = rename_study(store, old, new, storage=storage, say=say)
    if as_json:
        print_json({"renamed": [{"from": before, "to": after} for before, after in names.items()]})
        return
    for before, after in names.items():
        print(visible(f"{before} is called {after} now"))


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0, or 2 for bad input."""
    return run_app(app, argv, "python -m runs rename")
