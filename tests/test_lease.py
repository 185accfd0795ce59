"""One coordinator a study, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from postgres import new_database
from processes import line, start
from records import epoch, running, study, trial
from sqlalchemy.orm import Session

from runs import lease
from runs.database_retry import DatabaseRetry
from runs.lease import LeaseLostError, StudyHeldError, Watch
from runs.reader import open_reader
from runs.storage import AwayError, engine_for, parse_storage
from runs.writer import open_writer

HOLD = """
import sys, time
from runs.writer import open_writer
with open_writer(sys.argv[1]) as store, store.hold("digits"):
    print("held", flush=True)
    time.sleep(60)
"""

RACE = """
import sys
from runs.lease import StudyHeldError
from runs.writer import open_writer
print("ready", flush=True)
for url in map(str.strip, sys.stdin):
    try:
        with open_writer(url) as store, store.hold("digits"):
            print("held", flush=True)
            sys.stdin.readline()
    except StudyHeldError:
        print("refused", flush=True)
        sys.stdin.readline()
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a place where there is no database of ours yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/results.db"
    return new_database()


def sql(storage: str, statement: str, **values: Any) -> None:
    engine = engine_for(parse_storage(storage), read_only=False)
    with engine.begin() as connection:
        connection.execute(sa.text(statement), values)
    engine.dispose()


def test_a_study_another_process_runs_is_refused_until_that_is_killed(storage: str) -> None:
    with start(HOLD, storage) as other, open_writer(storage) as store:
        assert line(other) == "held"
        refusal = rf"'digits' is being run by process {other.pid} on \S+ since 20\d\d-"
        with pytest.raises(StudyHeldError, match=refusal) as caught, store.hold("digits"):
            pass
        assert str(caught.value).endswith("ends, or start another study with --study-name")
        with store.hold("another study"):
            pass
        other.kill()  # and not waited for: a zombie is dead
        deadline = time.monotonic() + 20
        while True:
            try:
                with store.hold("digits"):
                    break
            except StudyHeldError:
                assert time.monotonic() < deadline
        other.wait()


def test_of_a_process_that_the_system_hides_nobody_can_tell_whether_it_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As `/proc` mounted with `hidepid` hides the processes of other users."""
    holder = lease.Holder.this_process()
    assert holder.lives is True
    assert replace(holder, process=2**22 - 1).lives is False

    def kill(process: int, number: int) -> None:
        assert number == 0
        raise PermissionError

    monkeypatch.setattr(lease, "_started", lambda process: None)
    assert holder.lives is False
    monkeypatch.setattr(os, "kill", kill)
    assert holder.lives is None


def test_where_a_start_is_told_by_a_clock_another_start_is_no_death(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on macOS: the clock may have been set since, and the beats say whether a holder lives."""
    holder = lease.Holder.this_process()
    another = replace(holder, process_started=holder.process_started + 1)
    assert another.lives is False, "its number is used again"
    monkeypatch.setattr(lease, "_STARTS_BY_CLOCK", True)
    monkeypatch.setattr("psutil.MACOS", True)
    another = replace(another, machine=lease.Holder.this_process().machine)
    holder = lease.Holder.this_process()
    assert holder.lives is True
    assert another.lives is None
    assert replace(holder, process=2**22 - 1).lives is False


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
def test_a_start_is_the_ticks_that_leases_had_before() -> None:
    """A lease that an older revision wrote is understood, and no clock moves it."""
    stat = Path("/proc/self/stat").read_text()
    ticks = int(stat.rpartition(")")[2].split()[19])
    assert lease.Holder.this_process().process_started == ticks


@pytest.mark.parametrize("process", [-1, 0, 2**22 - 1, 2**40])
def test_a_number_that_is_no_process_lives_no_more(process: int) -> None:
    assert replace(lease.Holder.this_process(), process=process).lives is False


def test_a_study_is_given_up_at_the_end_of_the_block(storage: str) -> None:
    with open_writer(storage) as store:
        for _ in range(2):
            with store.hold("digits"):
                holder = store.holder("digits")
                assert holder is not None
                assert holder.lives
                with pytest.raises(StudyHeldError), store.hold("digits"):
                    pass
        assert store.holder("digits") is None


@pytest.mark.fault("two coordinators at the same instant on an empty database")
@pytest.mark.parametrize("times", [5, pytest.param(50, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_of_two_starts_at_the_same_instant_one_runs_and_one_is_refused(
    tmp_path: Path, kind: str, times: int
) -> None:
    racers = [start(RACE, "") for _ in range(2)]
    try:
        assert [line(racer) for racer in racers] == ["ready", "ready"]
        for number in range(times):
            url = new_database() if kind == "postgresql" else f"sqlite:///{tmp_path}/{number}.db"
            tell(racers, url)
            assert sorted(line(racer) for racer in racers) == ["held", "refused"]
            with open_reader(url) as store:
                assert store.studies() == []
            tell(racers, "")
    finally:
        for racer in racers:
            racer.communicate()


def tell(racers: list[Any], word: str) -> None:
    for racer in racers:
        racer.stdin.write(f"{word}\n")
        racer.stdin.flush()


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes the holder of a study one of another machine, whose processes cannot be seen."""
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr(lease, "DEAD_AFTER_SECONDS", 2.0)

    def move(storage: str) -> None:
        sql(storage, "UPDATE run_lease SET machine = 'another', host = 'far'")

    return move


def test_of_another_machine_a_holder_whose_beats_move_keeps_its_study(
    storage: str, elsewhere: Callable[[str], None]
) -> None:
    said: list[str] = []
    with open_writer(storage) as one, open_writer(storage) as other, one.hold("digits"):
        elsewhere(storage)
        with (
            pytest.raises(StudyHeldError, match="on far since"),
            other.hold("digits", DatabaseRetry(say=said.append)),
        ):
            pass
    assert len(said) == 1
    assert "waiting up to 2 s to see whether it still is" in said[0]


def test_who_only_reads_sees_from_the_beats_whether_a_holder_elsewhere_lives(
    storage: str, elsewhere: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the clock of the reader: the row holds no time to compare with."""
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 1000.0)
    watch = Watch()

    def look() -> bool:
        with open_reader(storage) as store:
            holder = store.holder("digits")
        assert holder is not None
        watch.saw(holder)
        return watch.lives(holder)

    with open_writer(storage) as store, store.hold("digits"):
        assert look()
        monkeypatch.setattr(lease, "DEAD_AFTER_SECONDS", 0.0)
        assert look(), "its process is there, silent or not"
        elsewhere(storage)
        monkeypatch.setattr(lease, "DEAD_AFTER_SECONDS", 0.5)
        for _ in range(4):
            sql(storage, "UPDATE run_lease SET heartbeats = heartbeats + 1")
            assert look()
            time.sleep(0.2)
        time.sleep(0.5)
        assert not look()
        holder = store.holder("digits")
        assert holder is not None
        assert 0.5 < watch.silent_seconds(holder) < 30
        assert Watch().lives(holder), "who has just begun to watch cannot know"
        sql(storage, "UPDATE run_lease SET heartbeats = heartbeats + 1")
        assert look()


@pytest.mark.fault("a coordinator that stood still while another took over")
def test_one_that_stood_still_loses_its_study_and_can_write_no_more(
    storage: str, elsewhere: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_writer(storage) as one, open_writer(storage) as other:
        monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 1000.0)
        with one.hold("digits"):
            one.add_study(study())
            one.add_trial("digits", running())
            elsewhere(storage)
            monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.2)
            with other.hold("digits"):
                with pytest.raises(LeaseLostError, match="taken over by process"):
                    one.add_epoch("digits", epoch(1))
                with pytest.raises(LeaseLostError):
                    one.update_trial("digits", trial())
                other.add_epoch("digits", epoch(1, validation_accuracy=0.5))
                assert [e.validation_accuracy for e in other.epochs("digits")] == [0.5]
                assert [t.state for t in other.trials("digits")] == ["running"]
        with one.hold("digits"):
            sql(storage, "DELETE FROM run_lease")
            with pytest.raises(LeaseLostError, match="given up again"):
                one.add_epoch("digits", epoch(2))


@pytest.mark.fault("the clock of a machine moved by years")
def test_a_lease_does_not_look_at_the_clock(
    storage: str, elsewhere: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two machines one may be a day ahead."""

    class Ahead(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime(2040, 1, 1, tzinfo=UTC)

    with open_writer(storage) as one, open_writer(storage) as other, one.hold("digits"):
        elsewhere(storage)
        monkeypatch.setattr(lease, "datetime", Ahead)
        monkeypatch.setattr(time, "time", lambda: 4e9)
        with pytest.raises(StudyHeldError), other.hold("digits"):
            pass


@pytest.mark.fault("a connection broken before or after a commit")
@pytest.mark.parametrize("when", ["before_commit", "after_commit"])
def test_what_is_written_while_the_connection_breaks_is_there_once(storage: str, when: str) -> None:
    said: list[str] = []
    with open_writer(storage) as store, store.hold("digits", DatabaseRetry(say=said.append)):
        store.add_study(study())
        breaks = iter([True])

        def fail(session: Session) -> None:
            if next(breaks, False):
                raise AwayError("the connection broke")

        sa.event.listen(Session, when, fail)
        try:
            added = store.add_trials("digits", [running(), running(seed=1)])
        finally:
            sa.event.remove(Session, when, fail)
        store.add_epoch("digits", epoch(1))
        assert [t.number for t in added] == [0, 1]
        assert store.trials("digits") == added
        assert store.epochs("digits") == [epoch(1)]
    assert ["the connection broke" in said[0], "is back after" in said[1]] == [True, True]


def test_a_database_that_stays_away_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    checks: list[int] = []
    retry = DatabaseRetry(seconds=0.6, check_stop=lambda: checks.append(1))

    def attempt() -> None:
        raise AwayError("down")

    with pytest.raises(AwayError, match="down"):
        retry.call(attempt)
    assert len(checks) >= 5


def test_a_database_that_is_not_to_be_waited_for_is_given_up_without_a_word() -> None:
    said: list[str] = []

    def attempt() -> None:
        raise AwayError("down")

    with pytest.raises(AwayError, match="down"):
        DatabaseRetry(seconds=0, say=said.append).call(attempt)
    assert said == []


def test_a_mirror_holds_all_there_is_of_a_study_written_or_not(storage: str) -> None:
    with open_writer(storage) as store:
        store.add_study(study())
        store.add_trial("digits", trial())
        store.add_epochs("digits", [epoch(1), epoch(2)])
        with store.hold("digits") as mirror:
            (second,) = store.add_trials("digits", [running(seed=1)])
            store.add_epoch("digits", replace(epoch(1), trial=1))
            store.restart_trials("digits", [second], [replace(epoch(1), trial=1, train_loss=9.0)])
            assert mirror.study == store.study("digits")
            assert mirror.trials == store.trials("digits")
            assert mirror.epochs == store.epochs("digits")
            sql(storage, "DELETE FROM run_lease")
            with pytest.raises(LeaseLostError):
                store.add_epoch("digits", replace(epoch(2), trial=1))
            assert mirror.epochs[-1] == replace(epoch(2), trial=1)
