"""A PostgreSQL server that stops, freezes or hangs up in the middle of a study."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator

import pytest
from postgres import Server
from records import epoch, running, study

from runs import postgres
from runs.database_retry import DatabaseRetry
from runs.reader import open_reader
from runs.storage import AwayError, StorageError
from runs.writer import open_writer


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.remove()


def writing(storage: str, said: list[str], disturb: list[threading.Timer]) -> None:
    """Writes a hundred epochs while the server is disturbed, and looks whether each is there."""
    with open_writer(storage) as store:
        store.add_study(study())
        store.add_trial("digits", running())
        with store.hold("digits", DatabaseRetry(say=said.append)):
            for timer in disturb:
                timer.start()
            for number in range(1, 101):
                store.add_epoch("digits", epoch(number))
                time.sleep(0.02)
            for timer in disturb:
                timer.join()
            store.add_epoch("digits", epoch(101))
            assert store.epochs("digits") == [epoch(number) for number in range(1, 102)]


@pytest.mark.fault("PostgreSQL stopped and started while epochs are written")
def test_a_server_that_stops_and_starts_again_loses_nothing(server: Server) -> None:
    said: list[str] = []
    writing(
        server.new_database(),
        said,
        [threading.Timer(0.3, server.stop), threading.Timer(2.5, server.start)],
    )
    assert "It is tried again for 300 s, and training goes on meanwhile" in said[0]
    assert "the database is back after" in said[-1]


@pytest.mark.fault("PostgreSQL frozen past the deadline of a call")
def test_a_frozen_server_is_given_up_in_time_and_nothing_is_written_twice(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "WRITER_SECONDS", 1)
    monkeypatch.setattr(postgres, "CONNECT_SECONDS", 2)
    said: list[str] = []
    writing(
        server.new_database(),
        said,
        [threading.Timer(0.3, server.freeze), threading.Timer(8.0, server.thaw)],
    )
    assert re.search("connection given up: no answer for 1 s|connection timeout expired", said[0])
    assert "the database is back after" in said[-1]


@pytest.mark.fault("connections terminated by the server, 8 times")
def test_connections_that_the_server_ends_are_opened_again(server: Server) -> None:
    said: list[str] = []
    storage = server.new_database()
    hang_up = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'"
    disturb = hang_up.format(storage.rpartition("/")[2])
    timers = [threading.Timer(0.2 * i, server.run, [disturb]) for i in range(1, 9)]
    writing(storage, said, timers)


def test_a_reader_of_a_frozen_server_gets_a_sentence(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "READER_SECONDS", 1)
    storage = server.new_database()
    with open_writer(storage) as store:
        store.add_study(study())
    with open_reader(storage) as reader:
        server.freeze()
        try:
            with pytest.raises(AwayError, match=r"no answer for 1 s|connection timeout expired"):
                reader.studies()
        finally:
            server.thaw()
        assert len(reader.studies()) == 1


def test_a_server_that_is_not_there_is_said_at_once(server: Server) -> None:
    storage = server.new_database()
    server.stop()
    try:
        with (
            pytest.raises(StorageError, match="check that the server runs"),
            open_writer(storage),
        ):
            pass
    finally:
        server.start()
