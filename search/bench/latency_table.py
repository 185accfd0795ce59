"""Latencies as a person reads them: in a terminal, and in the card of a winner."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from search.bench.front_latency import Measured
from search.bench.latency import Latency, milliseconds

_NONE = "-"
"""In the place of a figure that there is not."""


def table_of(latencies: Sequence[Latency]) -> Table:
    """A row a measurement."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("runtime", no_wrap=True)
    for column in _COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    for one in latencies:
        table.add_row(one.name, *_cells(one))
    return table


def markdown(latencies: Sequence[Latency]) -> list[str]:
    """Lines of a table in Markdown, then the notes."""
    rows = [("runtime", *_COLUMNS), ("---", *("---:" for _ in _COLUMNS))]
    rows += [(one.name, *_cells(one)) for one in latencies]
    return [f"| {' | '.join(row)} |" for row in rows] + ["", *notes(latencies)]


def front_table(measured: Sequence[Measured]) -> Table:
    """A row a configuration."""
    runtimes = list(dict.fromkeys(one.name for each in measured for one in each.latencies))
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("trial", "accuracy", *(f"{name} ms" for name in runtimes)):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("configuration")
    for each in measured:
        known = {one.name: _milliseconds(one.median_ms) for one in each.latencies}
        accuracy = f"{100 * (each.trial.accuracy or 0):.2f} %"
        cells = [known.get(name, _NONE) for name in runtimes]
        table.add_row(str(each.trial.number), accuracy, *cells, each.trial.label)
    return table


def notes(latencies: Sequence[Latency]) -> list[str]:
    """Where there is no figure and why, then on what all was measured."""
    noisy = [
        f"{one.name}, {_images(one.batch)}: {one.words}."
        for one in latencies
        if one.median_ms is None
    ]
    where = [f"{one.name}: {one.circumstances}." for one in latencies]
    return [*noisy, *dict.fromkeys(where)]


_COLUMNS = ("images a call", "median ms", "95 % under ms", "images/s", "calls")


def _cells(one: Latency) -> tuple[str, ...]:
    speed = _NONE if one.median_ms is None else f"{1e3 * one.batch / one.median_ms:,.0f}"
    times = _milliseconds(one.median_ms), _milliseconds(one.p95_ms)
    return (f"{one.batch:,}", *times, speed, f"{one.calls:,}")


def _milliseconds(value: float | None) -> str:
    return _NONE if value is None else milliseconds(value)


def _images(batch: int) -> str:
    return f"{batch:,} image{'' if batch == 1 else 's'} a call"
