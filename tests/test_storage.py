"""What a storage URL means, and how a database is opened."""

from __future__ import annotations

import shutil
import urllib.parse
from pathlib import Path

import pytest
from records import study
from sample_study import write_study

from runs import storage
from runs.storage import (
    DEFAULT_STORAGE,
    StorageError,
    describe,
    engine_for,
    has_password,
    parse_storage,
    without_password,
)
from runs.writer import open_writer


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a study in it."""
    path = tmp_path_factory.mktemp("sound") / "results.db"
    write_study(f"sqlite:///{path}", trials=20)
    return path


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("sqlite:///runs/x.db", "runs/x.db"),
        ("sqlite:////srv/results/x.db", "/srv/results/x.db"),
        ("sqlite+pysqlite:///x.db", "x.db"),
        ("sqlite:///a folder/ü.db", "a folder/ü.db"),
        ("postgresql://u@h/d", "postgresql+psycopg://u@h/d"),
        ("postgresql+psycopg://u@h:5433/d", "postgresql+psycopg://u@h:5433/d"),
        ("postgresql:///d", "postgresql+psycopg:///d"),
        ("postgresql://u@[::1]:5433/d", "postgresql+psycopg://u@[::1]:5433/d"),
    ],
)
def test_a_storage_is_sqlite_on_a_file_or_postgresql(text: str, where: str) -> None:
    assert describe(parse_storage(text)) == where


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("postgres://u@h/d", "the scheme is called postgresql, not postgres"),
        ("sqlite://x.db", "two slashes make 'x.db' a host; a file takes three: sqlite:///x.db"),
        ("sqlite://runs/x.db", "a file takes three: sqlite:///runs/x.db"),
        ("sqlite://", "results in memory would be lost; name a file: sqlite:///"),
        ("sqlite:///", "results in memory would be lost"),
        ("sqlite:///:memory:", "results in memory would be lost"),
        ("mysql://u@h/d", "no database of the kind 'mysql' is supported; use sqlite:///FILE"),
        ("sqlite+aiosqlite:///x.db", "no database of the kind"),
        ("postgresql+asyncpg://u@h/d", r"only the psycopg driver .*write postgresql\+psycopg://"),
        ("results.db", "not a URL; write it like sqlite:///runs/mixer_search.db"),
        ("sqlite:/x.db", "not a URL"),
        ("sqlite:///x?y.db", r"storage sqlite:///x: a file takes no options, .* write it as %3F"),
        ("sqlite:///x.db?timeout=5", r"storage sqlite:///x.db: a file takes no options"),
        ("sqlite:///x.db?", "a file takes no options"),
        ("sqlite:///dir/", "dir/ is a folder; name a file in it: sqlite:///dir/mixer_search.db"),
        ("sqlite:////", "/ is a folder; name a file in it: sqlite:////mixer_search.db"),
        ("sqlite:///runs", "runs is a folder; name a file in it: sqlite:///runs/mixer_search.db"),
        ("sqlite:///.", "is a folder; name a file in it: sqlite:///./mixer_search.db"),
        ("sqlite:///~", "is a folder; name a file in it: sqlite:///.*/mixer_search.db"),
        ("://", "not a URL"),
        ("postgresql://u@h:port/d", "not a URL"),
        ("postgresql://u@[::1/d", "not a URL"),
    ],
)
def test_another_storage_is_refused_with_the_way_to_write_it(
    here: Path, text: str, words: str
) -> None:
    (here / "runs").mkdir()
    with pytest.raises(StorageError, match=words):
        parse_storage(text)


def test_a_tilde_is_the_home_folder(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No shell replaces it in the middle of a word."""
    monkeypatch.setenv("HOME", str(here / "home"))
    with open_writer("sqlite:///~/made/z.db"):
        pass
    assert [path.name for path in here.iterdir()] == ["home"]
    assert (here / "home" / "made" / "z.db").is_file()
    monkeypatch.setenv("MIXER_STORAGE", "sqlite:///~/made/z.db")
    assert describe(parse_storage(None)) == str(here / "home" / "made" / "z.db")


def test_what_is_written_in_percent_is_in_the_name_of_the_file(here: Path) -> None:
    with open_writer("sqlite:///x%3Fy%20z.db"):
        pass
    assert [path.name for path in here.iterdir()] == ["x?y z.db"]
    assert parse_storage(without_password("sqlite:///x%3Fy.db")).database == "x?y.db"


@pytest.mark.parametrize(
    ("written", "password"),
    [("{se}cr%25et", "{se}cr%et"), ("se%40cr%3Aet%2F", "se@cr:et/"), ("se%20cr'et", "se cr'et")],
)
def test_a_password_is_understood(written: str, password: str) -> None:
    assert parse_storage(f"postgresql://u:{written}@h/d").password == password


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "mysql", "postgresql+asyncpg"])
@pytest.mark.parametrize(
    "rest",
    [
        *("u:{0}@h/d", "u:{{{0}@h/d", "u:%25{0}%40@h/d", "u:x@{0}@h/d", "u:x/{0}@h/d"),
        *("u:{0}@h:port/d", "u@h/d?password={0}", "u:{0}@[::1/d", "u:x@{0}@h:port/d"),
        *("u@h/d?sslpassword={0}", "u:{0}@h/d?port={0}", "u@/d?host=a:1&host=b:{0}"),
        *("u@h/d?conninfo={0}", "u:{0}@h/d?sslmode=require"),
    ],
)
def test_a_password_is_never_shown(scheme: str, rest: str) -> None:
    """Not even one that was not written as a URL wants it."""
    storage = f"{scheme}://{rest.format('secret')}"
    for tell in (lambda: describe(parse_storage(storage)), lambda: without_password(storage)):
        try:
            said = tell()
        except StorageError as error:
            said = str(error)
        assert "secret" not in said


def test_without_its_password_a_storage_is_otherwise_as_it_was_given() -> None:
    given = "postgresql+psycopg://u:secret@h:5433/d?application_name=x&passfile=/p&sslmode=on"
    shown = "postgresql+psycopg://u:***@h:5433/d?application_name=x&passfile=/p&sslmode=on"
    assert urllib.parse.unquote(without_password(given)) == shown
    assert without_password("sqlite:///runs/x.db") == "sqlite:///runs/x.db"


@pytest.mark.parametrize(
    ("storage", "has_one"),
    [
        ("sqlite:///password.db", False),
        ("postgresql://u@h/d", False),
        ("postgresql://u:p@h/d", True),
        ("postgresql://u@h/d?password=p", True),
    ],
)
def test_a_storage_has_a_password_or_none(storage: str, has_one: bool) -> None:
    assert has_password(storage) is has_one


def test_a_password_with_an_at_sign_in_it_is_told_how_to_write_it() -> None:
    with pytest.raises(StorageError, match="write it as %40"):
        parse_storage("postgresql://u:p@ss@h/d")


def test_the_storage_is_the_argument_else_the_environments_else_in_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert parse_storage(None) == parse_storage(DEFAULT_STORAGE)
    monkeypatch.setenv("MIXER_STORAGE", "sqlite:///from/environment.db")
    assert describe(parse_storage(None)) == "from/environment.db"
    assert describe(parse_storage("sqlite:///given.db")) == "given.db"
    monkeypatch.setenv("MIXER_STORAGE", "")
    assert parse_storage(None) == parse_storage(DEFAULT_STORAGE)


def test_a_writers_connection_keeps_a_log_and_foreign_keys(sound: Path) -> None:
    with engine_for(parse_storage(f"sqlite:///{sound}"), read_only=False).connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys", "busy_timeout", "application_id")
        }
    assert pragmas == {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "busy_timeout": 1000 * storage.BUSY_TIMEOUT_SECONDS,
        "application_id": int.from_bytes(b"MIXR"),
    }


def test_a_second_writer_waits_and_then_says_who_is_in_its_way(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "results.db"
    shutil.copy(sound, path)
    monkeypatch.setattr(storage, "BUSY_TIMEOUT_SECONDS", 0.1)
    with open_writer(f"sqlite:///{path}") as one, open_writer(f"sqlite:///{path}") as other:
        with one._session() as session:
            session.connection()  # takes the lock
            with pytest.raises(StorageError, match="locked; another program holds it"):
                other.add_study(study("late"))
        other.add_study(study("late"))
