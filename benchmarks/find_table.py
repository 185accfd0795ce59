"""The tables and generated spaces a search can be replayed on, by name."""

from __future__ import annotations

from functools import cache

from generated import SPACES, generated
from learning_curves import TABLES, read_table
from recorded import recorded
from table import Table

TUNING = "digits"
"""The one table that settings may be chosen on."""

REPORTING = ("cifar10", *SPACES)
"""Those that show what the settings are worth."""


def all_tables() -> list[str]:
    """Names of what there is: a recorded table may still have to be made."""
    recorded_ones = [name for name in (TUNING, "cifar10") if (TABLES / f"{name}.parquet").exists()]
    return [*recorded_ones, *SPACES]


@cache
def find_table(name: str) -> Table:
    """The table, made once a process.

    Args:
        name: of a generated space, of a table in `benchmarks/tables/`, or a .parquet file.

    Raises:
        TableError: there is no such table, or it is not all of its study's space.
    """
    return generated(name) if name in SPACES else recorded(read_table(name))
