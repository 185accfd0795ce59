"""`python -m runs delete STUDY`: says what goes with a study, asks, and deletes it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from runs.commands.names import Study, open_existing, say, tell
from runs.delete import Belongings, belongings_of, delete_study
from runs.options import CheckpointDir, Storage, WeightsDir
from runs.storage import beside
from runs.weights_folder import weights_folder
from space.command import Version, make_app, print_json, run_app, visible
from space.quantities import counted, format_count

app = make_app()


@app.command(
    help="Delete a study that no process runs: its trials, curves, weights, checkpoints, notes, "
    "confirmations, and the studies that found its learning rates. It says how many there are, and "
    "asks. Readings of a test split stay counted.",
    epilog="Example: python -m runs delete mixer_smoke",
    no_args_is_help=True,
)
def delete(
    study: Study,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    storage: Storage = None,
    checkpoint_dir: CheckpointDir = None,
    weights_dir: WeightsDir = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, and delete only with --yes.")
    ] = False,
    version: Version = False,
) -> None:
    """Parses, calls, returns."""
    folder = weights_folder(storage, weights_dir)
    checkpoints = (checkpoint_dir or beside(storage, "checkpoints")).absolute()
    with open_existing(storage) as store:
        found = belongings_of(store, study, folder, checkpoints)
        if not as_json:
            for line in _lines(found, store.where):
                tell(line)
        is_wanted = yes or (not as_json and _asked(study))
        if is_wanted:
            found = delete_study(
                store, study, storage=storage, folder=folder, checkpoints=checkpoints, say=say
            )
    if as_json:
        print_json({"deleted": is_wanted} | _facts(found))
    else:
        print("deleted" if is_wanted else "nothing was deleted")


def _lines(found: Belongings, where: str) -> list[str]:
    """What goes, and what stays."""
    study, *rates = found.studies
    parts = [
        counted(found.trials, "trial"),
        counted(found.epochs, "epoch"),
        counted(found.confirmations, "confirmation"),
        counted(found.notes, "note"),
        counted(len(found.weights), "file") + " of weights",
        counted(len(found.checkpoints), "checkpoint"),
    ]
    lines = [f"study {study.name} in {where}, begun {study.created_at:%Y-%m-%d %H:%M} UTC"]
    lines += [f"with {one.name}, which found its learning rates" for one in rates]
    lines.append(f"goes: {', '.join(parts)}; {format_count(found.size_bytes)}B of files")
    if found.readings:
        lines.append(f"stays: {counted(found.readings, 'reading')} of a test split, for no study")
    return lines


def _facts(found: Belongings) -> dict[str, Any]:
    return {
        "studies": [study.name for study in found.studies],
        "trials": found.trials,
        "epochs": found.epochs,
        "confirmations": found.confirmations,
        "notes": found.notes,
        "test_readings": found.readings,
        "weights": [str(file) for file in found.weights],
        "checkpoints": [str(file) for file in found.checkpoints],
    }


def _asked(study: str) -> bool:
    """Whether a person says that it may go."""
    try:
        answer = input(visible(f"delete study {study} and all of this? [y/N] "))
    except EOFError:
        print()
        return False
    return answer.strip().lower() in {"y", "yes"}


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0, also where nothing was deleted; 2 for bad input."""
    return run_app(app, argv, "python -m runs delete")
