"""`python -m runs gc`: files that are of no use any more, listed and removed."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from runs.garbage import Findings, Garbage, find_garbage, remove
from runs.options import CheckpointDir, Storage, WeightsDir
from space.command import make_app, run_app, visible
from space.quantities import counted, format_count, format_seconds

_TWO_DAYS = 172_800

app = make_app()


@app.command(
    help="List decoded copies of data sets, compiled programs, checkpoints of trials that have "
    "ended and weights of no trial, ask, and remove them. What a study that is being run may use "
    "is left.",
    epilog="Exit code: 0; 1 where something could not be removed; 2 bad input. "
    "Example: python -m runs gc --dry-run",
)
def collect(
    storage: Storage = None,
    checkpoint_dir: CheckpointDir = None,
    weights_dir: WeightsDir = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List, and remove nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking.")] = False,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print JSON, and remove only what --yes says may go."),
    ] = False,
) -> None:
    """Parses, calls, returns."""

    def find() -> Findings:
        return find_garbage(storage, checkpoint_dir=checkpoint_dir, weights_dir=weights_dir)

    found = find()
    if not as_json:
        _print(found)
    may_remove = not dry_run and (yes or (not as_json and bool(found.garbage) and _asked()))
    removed: list[Garbage] = []
    failed: list[str] = []
    if may_remove:  # the answer took its time: what is in use by now is left
        listed = {item.path for item in found.garbage}
        removed = [item for item in find().garbage if item.path in listed]
        failed = remove(removed)
    if as_json:
        print(json.dumps(_document(found, removed, failed), indent=2))
    elif found.garbage:
        print(f"removed: {_total(removed)}" if may_remove else "nothing was removed")
    for sentence in failed:
        print(f"error: {visible(sentence)}; mend its permissions", file=sys.stderr)
    if failed:
        raise typer.Exit(1)


def _print(found: Findings) -> None:
    for item in found.garbage:
        size = f"{format_count(item.size_bytes)}B"
        age = format_seconds(item.age_seconds)
        if item.age_seconds > _TWO_DAYS:
            age = f"{item.age_seconds / 86_400:.0f} d"
        print(f"{item.kind:17} {size:>8} {age:>11}  {visible(f'{item.path}: {item.reason}')}")
    for sentence in found.notes:
        print(f"note: {visible(sentence)}")
    print(f"of no use any more, or made again when needed: {_total(found.garbage)}")


def _asked() -> bool:
    """Whether a person says that all of it may go."""
    try:
        return input("remove all of it? [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        print()
        return False


def _total(garbage: list[Garbage]) -> str:
    size = format_count(sum(item.size_bytes for item in garbage))
    return f"{counted(len(garbage), 'item')}, {size}B"


def _document(found: Findings, removed: list[Garbage], failed: list[str]) -> dict[str, object]:
    """What `--json` prints; sizes in bytes, ages in seconds."""
    gone = {item.path for item in removed}
    return {
        "garbage": [
            asdict(item) | {"path": str(item.path), "removed": item.path in gone}
            for item in found.garbage
        ],
        "notes": found.notes,
        "errors": failed,
    }


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0; 1 where something could not be removed; 2 for bad input."""
    return run_app(app, argv, "python -m runs gc")


if __name__ == "__main__":
    sys.exit(main())
