"""One database and several processes: first starts at the same instant, and sudden death."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from postgres import new_database
from processes import line, start
from records import epoch, running, study

from runs.reader import open_reader
from runs.writer import open_writer

STARTS = """
import sys
from records import study
from runs.writer import open_writer
print("ready", flush=True)
for url in map(str.strip, sys.stdin):
    with open_writer(url) as store:
        store.add_study(study(sys.argv[1]))
        print(store.study(sys.argv[1]).name, flush=True)
"""

WRITES = """
import itertools, sys
from records import epoch
from runs.writer import open_writer
with open_writer(sys.argv[1]) as store:
    for number in itertools.count(1):
        store.add_epoch("digits", epoch(number))
        print(number, flush=True)
"""


@pytest.mark.fault("first starts at the same instant")
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_two_first_starts_at_the_same_instant_make_one_database(tmp_path: Path, kind: str) -> None:
    urls = [
        new_database() if kind == "postgresql" else f"sqlite:///{tmp_path}/{number}/results.db"
        for number in range(10 if kind == "sqlite" else 5)
    ]
    processes = [start(STARTS, name) for name in ("one", "other")]
    try:
        assert [line(process) for process in processes] == ["ready", "ready"]
        for url in urls:
            for process in processes:
                assert process.stdin is not None
                process.stdin.write(f"{url}\n")
                process.stdin.flush()
            assert [line(process) for process in processes] == ["one", "other"]
            with open_reader(url) as store:
                assert {found.name for found in store.studies()} == {"one", "other"}
            assert rows_of("run_schema", url) == 1
    finally:
        for process in processes:
            process.communicate()
    if kind == "sqlite":
        left = {path.name for path in tmp_path.glob("*/*")}
        assert left <= {"results.db", "results.db-wal", "results.db-shm"}


def rows_of(table: str, url: str) -> int:
    connect: Callable[[str], sqlite3.Connection | psycopg.Connection] = psycopg.connect
    if url.startswith("sqlite"):
        url, connect = url.removeprefix("sqlite:///"), sqlite3.connect
    connection = connect(url)
    (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    connection.close()
    return int(count)


@pytest.mark.fault("the writer killed, three times")
def test_nothing_that_was_acknowledged_is_lost_when_the_writer_is_killed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/results.db"
    with open_writer(url) as store:
        store.add_study(study())
        store.add_trial("digits", running())
    for wait in (0.0, 0.05, 0.2):
        writer = start(WRITES, url)
        assert line(writer) == "1"
        time.sleep(wait)
        writer.kill()
        assert writer.stdout is not None
        output = writer.stdout.read()  # communicate() passes over what readline() has read ahead
        writer.communicate()
        acknowledged = [1, *map(int, output.split())]
        with open_reader(url) as store:
            found = store.epochs("digits")
        assert found == [epoch(number) for number in range(1, len(found) + 1)]
        assert acknowledged[-1] <= len(found) <= acknowledged[-1] + 1
        with open_writer(url) as store:
            assert [trial.state for trial in store.trials("digits")] == ["running"]
            store.restart_trials("digits", [running()], [])
            assert store.epochs("digits") == []
    connection = sqlite3.connect(tmp_path / "results.db")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
