"""`python -m runs --study mixer_cifar --out trials.csv`: results as a CSV or Parquet file.

And the verbs, such as `python -m runs list`: see `runs.commands`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

import runs
from runs import gc
from runs.commands import delete, export, list_studies, notes, rename, show, upgrade
from runs.options import Storage, StudyName
from runs.report import command as report
from runs.tabular_files import check_kind, write_table
from space.command import Json, Version, make_app, print_json, run_app
from space.paths import as_path
from space.quantities import counted

VERBS: Mapping[str, Callable[[list[str]], int]] = {
    "list": list_studies.main,
    "show": show.main,
    "rename": rename.main,
    "delete": delete.main,
    "note": notes.main,
    "export": export.main,
    "report": report.main,
    "upgrade": upgrade.main,
    "gc": gc.main,
}
"""What the first word may be; each takes the words after it and returns the exit code."""

app = make_app()


@app.command(
    help="Write the trials of a study to a file, one row a trial.",
    epilog="Example: python -m runs --study mixer_cifar --out trials.parquet\n\n"
    f"Other verbs, each with a --help of its own: {', '.join(VERBS)}.",
    no_args_is_help=True,
)
def write(
    study: StudyName,
    out: Annotated[
        Path, typer.Option(parser=as_path, help="A .csv, .parquet or .json file.", metavar="FILE")
    ],
    curves: Annotated[
        bool, typer.Option("--curves", help="Learning curves instead, one row an epoch.")
    ] = False,
    storage: Storage = None,
    as_json: Json = False,
    version: Version = False,
) -> None:
    """Parses, calls, returns."""
    check_kind(out)
    frame = runs.curves(study, storage) if curves else runs.frame(study, storage)
    write_table(frame, out)
    if as_json:
        print_json({"study": study, "file": str(out), "rows": len(frame), "curves": curves})
    else:
        print(f"{counted(len(frame), 'row')} in {out}")


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0, or 2 for bad input; of a verb what its own `main` says."""
    argv = sys.argv[1:] if argv is None else argv
    if argv and argv[0] in VERBS:
        return VERBS[argv[0]](argv[1:])
    return run_app(app, argv, "python -m runs")


if __name__ == "__main__":
    sys.exit(main())
