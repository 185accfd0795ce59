"""`python -m runs report --study mixer_cifar --out report.html`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from runs.commands.names import StudyFlag, StudyWord, named
from runs.options import Storage
from space.command import Json, Version, make_app, print_json, run_app
from space.paths import as_path

app = make_app()


@app.command(
    help="Write a study as one HTML file that opens offline: what it found, what was asked, and "
    "under which circumstances.",
    epilog="Example: python -m runs report --study mixer_cifar --out report.html",
    no_args_is_help=True,
)
def report(
    out: Annotated[Path, typer.Option(parser=as_path, help="An .html file.", metavar="FILE")],
    study: StudyWord = None,
    study_flag: StudyFlag = None,
    storage: Storage = None,
    as_json: Json = False,
    version: Version = False,
) -> None:
    """Parses, calls, returns."""
    from runs.report.written import write_report  # it loads Plotly

    study = named(study, study_flag)
    size = write_report(study, out, storage)
    if as_json:
        print_json({"study": study, "file": str(out), "size_bytes": size})
    else:
        print(f"{out}, {size / 1e6:.1f} MB")


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0, or 2 for bad input."""
    return run_app(app, argv, "python -m runs report")
