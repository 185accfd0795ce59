"""`python -m runs upgrade`: a database of an older version, for this one to read."""

from __future__ import annotations

from runs.commands.names import open_existing
from runs.options import Storage
from space.command import Json, Version, make_app, print_json, run_app

app = make_app()


@app.command(
    help="Bring the schema of a database up to date, as the next search in it would. A SQLite file "
    "is copied first, and the copy stays.",
    epilog="Example: python -m runs upgrade --storage sqlite:///results.db",
)
def upgrade(storage: Storage = None, as_json: Json = False, version: Version = False) -> None:
    """Parses, calls, returns."""
    with open_existing(storage) as store:
        where = store.where
    if as_json:
        print_json({"storage": where})
    else:
        print(f"{where} is of this version's schema")


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0, or 2 for bad input."""
    return run_app(app, argv, "python -m runs upgrade")
