"""What is said of a database file, or a place for one, that is not fit."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from records import epoch, running, study, trial
from sample_study import write_study

from runs.reader import open_reader
from runs.storage import StorageError, check_sqlite_file
from runs.writer import open_writer

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a study in it; tests damage copies."""
    path = tmp_path_factory.mktemp("sound") / "results.db"
    write_study(f"sqlite:///{path}", trials=20)
    return path


def read_everything(path: Path) -> None:
    with open_reader(f"sqlite:///{path}") as store:
        for found in store.studies():
            store.study(found.name)
            store.trials(found.name)
            store.trial(found.name, 3)
            store.epochs(found.name)


def write_something(path: Path) -> None:
    with open_writer(f"sqlite:///{path}") as store:
        store.add_study(study("another"))
        store.add_trial("another", running())
        store.add_epoch("another", epoch(1))
        store.update_trial("another", trial())


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4096])


def by_sql(*statements: str) -> Callable[[Path], None]:
    def run(path: Path) -> None:
        with sqlite3.connect(path) as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    return run


NOT_FIT: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda p: p.write_bytes(b""), "is an empty file, not a database; move it away"),
    "text": (lambda p: p.write_text("study,trial\n"), "is not a SQLite database"),
    "cut": (cut, r"is truncated: [\d,]+ of [\d,]+ bytes are there; restore it"),
    "a header alone": (lambda p: p.write_bytes(p.read_bytes()[:50]), "is truncated"),
    "a stranger's": (by_sql("PRAGMA application_id = 7"), "of another program"),
    "a folder": (lambda p: (p.unlink(), p.mkdir()), "is a folder; name a file in it"),
    "from the future": (by_sql("UPDATE run_schema SET version_num = '9999'"), "newer version"),
}


@pytest.mark.fault("a file that is empty, truncated or a stranger's")
@pytest.mark.parametrize("state", NOT_FIT)
@pytest.mark.parametrize("use", [read_everything, write_something])
def test_a_file_that_is_not_fit_is_refused_and_left_as_it_was(
    sound: Path, tmp_path: Path, state: str, use: Callable[[Path], None]
) -> None:
    change, words = NOT_FIT[state]
    path = tmp_path / "results.db"
    shutil.copy(sound, path)
    change(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StorageError, match=words):
        use(path)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_reader_of_a_file_that_is_not_there_is_told_how_to_begin(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"does not exist; start a search first \(python -m"):
        read_everything(tmp_path / "results.db")
    assert list(tmp_path.iterdir()) == []


WRONG_CONTENT = {
    "broken JSON": "UPDATE run_trial SET config = '{\"hidden_dim\": 3'",
    "no configuration": 'UPDATE run_trial SET config = \'{"family": "vit"}\'',
    "no text": "UPDATE run_trial SET config = CAST(x'ff00fe' AS TEXT)",
    "no time": "UPDATE run_trial SET started_at = 'yesterday'",
    "a number for a time": "UPDATE run_study SET created_at = 7",
    "broken specification": "UPDATE run_study SET spec = '['",
    "no column": "ALTER TABLE run_trial RENAME COLUMN origin TO source",
    "no table": "DROP TABLE run_epoch",
}


@pytest.mark.parametrize("damage", WRONG_CONTENT)
def test_content_we_never_wrote_is_said_to_be_damaged(
    sound: Path, tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "results.db"
    shutil.copy(sound, path)
    by_sql(WRONG_CONTENT[damage])(path)
    with pytest.raises(StorageError, match="restore it from a copy"):
        read_everything(path)


@pytest.mark.fault("random bytes in the file of a database")
@pytest.mark.parametrize("seed", range(24))
def test_random_bytes_anywhere_end_in_a_sentence_if_in_anything(
    sound: Path, tmp_path: Path, seed: int
) -> None:
    draw = random.Random(seed)
    content = bytearray(sound.read_bytes())
    length = draw.choice([1, 40, 4096])
    for _ in range(1 + 40 // length):
        start = draw.randrange(100, len(content) - length)
        content[start : start + length] = draw.randbytes(length)
    path = tmp_path / "results.db"
    path.write_bytes(content)
    for use in (read_everything, write_something):
        with suppress(StorageError):
            use(path)


def test_a_log_left_by_a_process_killed_while_moving_it_is_moved_by_the_next(
    sound: Path, tmp_path: Path
) -> None:
    """Then the file is shorter than its first page says, and the rest of it is in the log."""
    path = tmp_path / "results.db"
    shutil.copy(sound, path)
    before = path.read_bytes()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    columns = "train_loss, train_accuracy, validation_loss, validation_accuracy, learning_rate"
    connection.executemany(
        f"INSERT INTO run_epoch SELECT trial_id, ?, {columns}, elapsed_seconds "
        "FROM run_epoch WHERE trial_id = 1 AND epoch = 1",
        [(number,) for number in range(100, 600)],
    )
    connection.commit()
    log = Path(f"{path}-wal").read_bytes()
    connection.close()  # moves the log into the file
    after = path.read_bytes()
    assert len(after) > len(before) + 10_000
    for use in (open_reader, open_writer):
        path.write_bytes(after[:4096] + before[4096:])
        Path(f"{path}-shm").unlink(missing_ok=True)
        Path(f"{path}-wal").write_bytes(log)
        with use(f"sqlite:///{path}") as store:
            assert len(store.epochs("sample", 0)) == 504


def test_no_database_is_made_beside_the_log_of_one_that_is_gone(
    sound: Path, tmp_path: Path
) -> None:
    """SQLite would read rows of the one into the other."""
    path, log = tmp_path / "results.db", tmp_path / "results.db-wal"
    shutil.copy(sound, path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE run_trial SET seed = seed + 1000")
    connection.commit()
    content = log.read_bytes()
    connection.close()
    path.unlink()
    log.write_bytes(content)
    with pytest.raises(
        StorageError, match=r"put the file back, or its spool .*, or remove the log too"
    ):
        write_something(path)
    assert [file.name for file in tmp_path.iterdir()] == [log.name]
    log.write_bytes(b"")  # nothing in it
    write_something(path)


def test_a_database_that_was_replaced_or_removed_is_not_written_to(
    sound: Path, tmp_path: Path
) -> None:
    """SQLite itself would go on, into a file that nobody can open any more."""
    path = tmp_path / "results.db"
    shutil.copy(sound, path)
    with open_writer(f"sqlite:///{path}") as store:
        store.add_study(study("kept"))
        path.rename(tmp_path / "moved.db")
        with pytest.raises(StorageError, match="was removed, replaced or emptied"):
            store.add_study(study("lost"))
        shutil.copy(sound, path)
        with pytest.raises(StorageError, match="was removed, replaced or emptied"):
            store.add_study(study("lost"))


@pytest.mark.parametrize("name", ["a b#c.db", "ü'\".db", "[1]*.db", ".hidden", "x.db.tmp"])
def test_no_file_name_is_too_odd_and_nothing_else_is_left(tmp_path: Path, name: str) -> None:
    write_something(tmp_path / "made" / name)
    assert [path.name for path in (tmp_path / "made").iterdir()] == [name]
    check_sqlite_file(tmp_path / "made" / name)


def test_a_place_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / ("x" * 300), tmp_path / "file" / "x.db"):
        with pytest.raises(StorageError, match=r"cannot be (reached|created) \("):
            write_something(path)
    with pytest.raises(StorageError, match="cannot be reached"):
        read_everything(tmp_path / ("x" * 300))


@contextmanager
def without_privileges() -> Iterator[None]:
    """Root may read and write everything; a stranger may not."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.fault("a database, or its folder, that may not be read or written")
@pytest.mark.parametrize(
    ("folder_mode", "file_mode", "reading", "writing"),
    [
        (0o777, 0o444, None, "readonly database; make the file and its folder writable"),
        (0o555, 0o666, "make the file and its folder", "make the file and its folder"),
        (0o000, 0o666, r"cannot be reached \(Permission", r"cannot be reached \(Permission"),
        (0o777, 0o000, r"cannot be read \(Permission", r"cannot be read \(Permission"),
    ],
    ids=["file read-only", "folder read-only", "folder closed", "file closed"],
)
def test_permissions_that_are_missing_are_named(
    sound: Path, folder_mode: int, file_mode: int, reading: str | None, writing: str
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="mixer-search-"))  # a stranger cannot enter tmp_path
    path = folder / "results.db"
    try:
        shutil.copy(sound, path)
        read_everything(sound)  # all that is imported late is imported
        path.chmod(file_mode)
        folder.chmod(folder_mode)
        with without_privileges():
            if reading is None:
                read_everything(path)
            else:
                with pytest.raises(StorageError, match=reading):
                    read_everything(path)
            with pytest.raises(StorageError, match=writing):
                write_something(path)
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)


FULL = """
import resource, sys; sys.path[:0] = sys.argv[1:3]
from test_storage_files import StorageError, open_writer, study
allow = lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
try:
    allow(int(sys.argv[4]))
    with open_writer(f"sqlite:///{sys.argv[3]}") as store:
        store.add_study(study(spec={"x": "y" * 1_000_000}))
except StorageError as error:
    print(error)
"""


@pytest.mark.fault("the disk full when a database is made")
@pytest.mark.parametrize("size", [0, 16_384, 300_000])
def test_a_full_disk_ends_in_a_sentence_and_leaves_no_half_database(
    tmp_path: Path, size: int
) -> None:
    path = tmp_path / "results.db"
    said = subprocess.run(
        [sys.executable, "-B", "-c", FULL, HERE, HERE.parent, path, str(size)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert str(path) in said
    assert "see that the disk is whole and not full" in said
    if path.exists():
        with open_writer(f"sqlite:///{path}") as store:
            assert store.studies() == []
    else:
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_is_for_whom_the_umask_lets(tmp_path: Path, mask: int, mode: int) -> None:
    path = tmp_path / "results.db"
    before = os.umask(mask)
    try:
        with open_writer(f"sqlite:///{path}"):
            pass
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("column", ["seed", "epochs", "rung", "macs"])
def test_a_text_where_a_number_belongs_is_damage(sound: Path, tmp_path: Path, column: str) -> None:
    """Pages and figures take numbers as numbers."""
    path = tmp_path / "results.db"
    shutil.copy(sound, path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(f"UPDATE run_trial SET {column} = '<b>x</b>' WHERE number = 3")
        connection.commit()
    with open_reader(f"sqlite:///{path}") as store:
        (name,) = (study.name for study in store.studies())
        with pytest.raises(StorageError, match="is damaged, a row cannot be read"):
            store.trials(name)
