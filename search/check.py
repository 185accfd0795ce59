"""`python -m search.check --storage URL`: looks a database over; `--repair` puts spools back."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from runs.options import Storage, WeightsDir
from runs.repair.check import check, repair
from space.command import make_app, run_app
from space.quantities import counted

EPILOG = """\b
Exit code: 0 nothing is wrong, or nothing any more; 1 something is; 2 bad input.
Example: python -m search.check --storage sqlite:///runs/mixer_search.db --repair
"""

app = make_app()


@app.command(
    help="Look a database over: what SQLite finds damaged, gaps in curves, results that "
    "contradict their curves, configurations that are not what was trained, weights that are "
    "missing, damaged or of no trial, results that could not be stored and lie beside it in a "
    "spool.",
    epilog=EPILOG,
)
def look(
    storage: Storage = None,
    mend: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Put results back that lie in a spool; nothing else is changed.",
        ),
    ] = False,
    weights_dir: WeightsDir = None,
) -> None:
    """Parses, calls, returns."""
    report = repair(storage, _say, weights_dir) if mend else check(storage, weights_dir)
    for kind, sentences in (
        ("repaired", report.repaired),
        ("problem", report.problems),
        ("note", report.notes),
    ):
        for sentence in sentences:
            _say(f"{kind}: {sentence}")
    found = counted(len(report.problems), "problem") if report.problems else "no problems"
    print(f"{report.where}: {found}")
    if report.problems:
        if report.can_be_repaired and not mend:
            print("next: the same command with --repair, once nobody runs a study there")
        raise typer.Exit(1)


def _say(sentence: str) -> None:
    """A line, whatever the database holds."""
    print("".join(c if c.isprintable() else " " for c in sentence), flush=True)


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0; 1 where something is wrong; 2 for bad input."""
    return run_app(app, argv, "python -m search.check")


if __name__ == "__main__":
    sys.exit(main())
