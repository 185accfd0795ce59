"""`python -m search.to_optuna --study S --out sqlite:///optuna.db`: a copy for Optuna's tools."""

from __future__ import annotations

import sys
from typing import Annotated

import optuna
import typer

from runs.options import Storage, StudyName
from runs.storage import without_password
from search.optuna_bridge import to_optuna
from space.command import Json, Version, make_app, print_json, run_app, visible
from space.quantities import counted

app = make_app()


@app.command(
    help="Copy a study into a database that Optuna and optuna-dashboard open: two objectives, "
    "learning curves, user attributes. Nothing of the study here is changed.",
    epilog="Example: python -m search.to_optuna --study mixer_cifar --out sqlite:///optuna.db",
    no_args_is_help=True,
)
def copy(
    study: StudyName,
    out: Annotated[
        str,
        typer.Option(
            help="URL of the database to write to, not one of this program's.", metavar="URL"
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option(help="What it is called there.", metavar="NAME", show_default="as here"),
    ] = None,
    storage: Storage = None,
    as_json: Json = False,
    version: Version = False,
) -> None:
    """Parses, calls, returns."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    written = to_optuna(study, out, storage=storage, name=name)
    where = without_password(out)
    if as_json:
        print_json({"study": study, "name": name or study, "out": where, "trials": written})
        return
    print(visible(f"{counted(written, 'trial')} of study {study} in {where}"))
    print(visible(f"next: optuna-dashboard {where}"))


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0, or 2 for bad input."""
    return run_app(app, argv, "python -m search.to_optuna")


if __name__ == "__main__":
    sys.exit(main())
