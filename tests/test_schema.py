"""The schema: what the migrations make is what the tables say, and older ones are brought there."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from postgres import new_database
from records import NOON, epoch, running, study, trial, vit
from sample_study import write_study
from sqlalchemy.orm import Session

from runs import schema
from runs.__main__ import main as runs_main
from runs.backup import back_up
from runs.reader import open_reader
from runs.record import (
    EpochRecord,
    Failure,
    Origin,
    State,
    StudyRecord,
    Timing,
    TrialRecord,
)
from runs.record import TestReading as ReadingOfTest
from runs.rows import epoch_columns, study_columns, trial_columns
from runs.storage import APPLICATION_ID, StorageError, engine_for, parse_storage
from runs.tables import (
    Base,
    ConfirmationRow,
    CostRow,
    ImageResultRow,
    NoteRow,
    ReadingRow,
    TrialRow,
    WeightsRow,
)
from runs.writer import open_writer

MIGRATIONS = Path(schema.__file__).parent / "migrations"
TABLES = ("run_study", "run_trial", "run_epoch")
HEAD = ScriptDirectory(str(MIGRATIONS)).get_current_head()


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a place where there is no database of ours yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/results.db"
    return new_database()


def on(storage: str, do: Callable[[sa.Connection], Any]) -> Any:
    """What `do` returns of a transaction on the bare database; SQLite's file is made if needed."""
    url = parse_storage(storage)
    if url.get_backend_name() == "sqlite":
        Path(str(url.database)).touch()
    engine = engine_for(url, read_only=False)
    try:
        with engine.begin() as connection:
            return do(connection)
    finally:
        engine.dispose()


def described(connection: sa.Connection) -> dict[str, Any]:
    """All that the database itself says of our tables."""
    found = sa.inspect(connection)
    return {
        table: {
            "columns": plain(found.get_columns(table)),
            "primary key": plain(found.get_pk_constraint(table)),
            "foreign keys": sorted(plain(found.get_foreign_keys(table)), key=str),
            "uniques": sorted(plain(found.get_unique_constraints(table)), key=str),
            "checks": sorted(plain(found.get_check_constraints(table)), key=str),
            "indexes": plain(found.get_indexes(table)),
        }
        for table in Base.metadata.tables
    }


def plain(value: Any) -> Any:
    """Types and SQL expressions as text, so that equal ones compare equal."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return str(value)


def contents(storage: str) -> tuple[list[StudyRecord], list[TrialRecord], list[EpochRecord]]:
    with open_reader(storage) as store:
        return store.studies(), store.trials("sample"), store.epochs("sample")


@pytest.fixture
def newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts one more migration into a copy of ours, which the program then takes for its own."""

    def add(upgrade: str) -> None:
        folder = tmp_path / "migrations"
        shutil.copytree(MIGRATIONS, folder)
        head = f"revision = '9999'\ndown_revision = '{HEAD}'\nbranch_labels = depends_on = None\n"
        code = f"import sqlalchemy as sa\nfrom alembic import op\n{head}def upgrade():\n{upgrade}"
        (folder / "versions" / "9999_one_more.py").write_text(code)

        def config() -> Config:
            made = Config()
            made.set_main_option("script_location", str(folder))
            return made

        monkeypatch.setattr(schema, "_alembic", config)

    return add


def test_the_migrations_make_the_tables_the_code_declares(storage: str, tmp_path: Path) -> None:
    with open_writer(storage):
        pass
    context = {"opts": {"version_table": "run_schema", "compare_server_default": True}}
    assert (
        on(
            storage,
            lambda connection: compare_metadata(
                MigrationContext.configure(connection, **context), Base.metadata
            ),
        )
        == []
    )
    other = new_database() if "postgres" in storage else f"sqlite:///{tmp_path}/other.db"
    on(other, Base.metadata.create_all)
    assert on(storage, described) == on(other, described)


def test_an_empty_database_beside_tables_of_others_becomes_ours(storage: str) -> None:
    """Of SQLite one of ours that was cut off before its tables; of a server one that is shared."""

    def prepare(connection: sa.Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE studies (study_id INTEGER)")
        connection.exec_driver_sql("INSERT INTO studies VALUES (7)")
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")

    on(storage, prepare)
    with pytest.raises(StorageError, match="holds no studies of ours; start one"):
        contents(storage)
    with open_writer(storage) as store:
        store.add_study(study())
    assert on(storage, lambda c: c.exec_driver_sql("SELECT * FROM studies").all()) == [(7,)]


def test_opening_again_changes_nothing(storage: str) -> None:
    write_study(storage, trials=14)
    before = contents(storage), on(storage, described)
    with open_writer(storage):
        pass
    assert (contents(storage), on(storage, described)) == before


def test_an_older_schema_is_refused_by_readers_and_brought_up_to_date_by_the_writer(
    storage: str, newer: Callable[[str], None]
) -> None:
    """Even if a table is replaced, as SQLite needs it, and others refer to its rows."""
    write_study(storage, trials=14)
    before = contents(storage)
    newer(
        "    with op.batch_alter_table('run_study') as batch:\n"
        "        batch.alter_column('data_digest', existing_type=sa.String(64), nullable=True)\n"
    )
    with pytest.raises(StorageError, match=rf"older schema \({HEAD}\); python -m runs upgrade"):
        contents(storage)
    with open_writer(storage) as store:
        assert store.trials("sample") == before[1]
    assert contents(storage) == before
    study_columns = on(storage, described)["run_study"]["columns"]
    assert [c["nullable"] for c in study_columns if c["name"] == "data_digest"] == ["True"]


def write_older(
    storage: str, revision: str, trials: list[TrialRecord], epochs: list[EpochRecord]
) -> None:
    """A study `digits` as a version of this program wrote it that had that schema."""

    def write(connection: sa.Connection) -> None:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        config = schema._alembic()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        old = {name: sa.Table(name, sa.MetaData(), autoload_with=connection) for name in TABLES}

        def insert(table: str, columns: dict[str, Any]) -> int:
            known = {name: value for name, value in columns.items() if name in old[table].columns}
            known |= {
                name: value.replace(tzinfo=None)
                for name, value in known.items()
                if isinstance(value, datetime)
            }
            return connection.execute(old[table].insert().values(known)).inserted_primary_key[0]

        key = insert("run_study", study_columns(study()))
        keys = [insert("run_trial", {"study_id": key} | trial_columns(t)) for t in trials]
        for record in epochs:
            insert("run_epoch", {"trial_id": keys[record.trial]} | epoch_columns(record))

    on(storage, write)


def test_a_database_of_the_first_version_keeps_its_rows(storage: str) -> None:
    """And says nothing about what was not measured then."""
    timing = Timing(compile_seconds=1, train_seconds=2, eval_seconds=3, images_per_second=4)
    first = trial(0, timing=timing, wall_seconds=None)
    ended = [first, running(1), running(2, state=State.FAILED), running(3, state=State.REFUSED)]
    epochs = [epoch(1), epoch(2), epoch(1, trial=1)]
    write_older(storage, "0001", ended, epochs)
    with pytest.raises(StorageError, match=r"older schema \(0001\); python -m runs upgrade"):
        contents(storage)
    with open_writer(storage) as store:
        assert store.trials("digits") == ended
        added = store.add_trial("digits", trial(4))
    with open_reader(storage) as store:
        assert store.trials("digits") == [*ended, added]
        assert store.epochs("digits") == epochs
    flops = on(storage, lambda c: c.exec_driver_sql("SELECT macs, flops FROM run_trial").all())
    assert [flop for _, flop in flops] == [2 * macs for macs, _ in flops]


WORDS = {
    "diverged: the loss was not finite at step 7 (epoch 1)": Failure.DIVERGED,
    "it took longer than 5 s (--trial-timeout)": Failure.TIMEOUT,
    "its worker died twice (killed by SIGKILL)": Failure.LOST_WORKER,
    "its worker died twice (its process ran out of memory)": Failure.OUT_OF_MEMORY,
    "out of memory: training needs at least 9 GiB; RESOURCE_EXHAUSTED": Failure.OUT_OF_MEMORY,
    "does not fit: training needs at least 9 GiB": Failure.DOES_NOT_FIT,
    "the reason is lost": None,
}


def test_why_a_trial_of_an_older_version_failed_is_told_by_its_words(storage: str) -> None:
    """Of one that did not fail they say nothing, and its limit nobody wrote down."""
    old = [running(n, state=State.FAILED, error=words) for n, words in enumerate(WORDS)]
    old.append(running(len(old), state=State.REFUSED, error="diverged: "))
    write_older(storage, "0001", old, [])
    with open_writer(storage) as store:
        found = store.trials("digits")
    assert [t.failure for t in found] == [*WORDS.values(), None]
    assert all(t.timeout_seconds is None for t in found)


def test_an_upgraded_database_is_like_a_new_one(storage: str, tmp_path: Path) -> None:
    write_older(storage, "0001", [trial(0)], [])
    other = new_database() if "postgres" in storage else f"sqlite:///{tmp_path}/other.db"
    for each in (storage, other):
        with open_writer(each):
            pass
    assert on(storage, described) == on(other, described)


BEFORE = [
    trial(0, origin=Origin.BASELINE, config=vit()),
    trial(1),
    running(2, state=State.FAILED, failure=Failure.TIMEOUT, timeout_seconds=5.0),
    running(3, state=State.PRUNED),
    running(4),
]
CURVES = [epoch(number, trial=1) for number in (1, 2)]


@pytest.mark.parametrize("revision", ["0006", "0007", "0008"])
def test_a_database_of_a_schema_before_goes_on(storage: str, revision: str) -> None:
    """With the same rows, on which old and new tables agree, and on the same study."""
    write_older(storage, revision, BEFORE, CURVES)
    with open_writer(storage) as store, store.hold("digits"):
        assert (store.trials("digits"), store.epochs("digits")) == (BEFORE, CURVES)
        store.add_epoch("digits", epoch(1, trial=4))
        store.update_trial("digits", trial(4))
        added = store.add_trial("digits", running(5))
    with open_reader(storage) as store:
        assert store.trials("digits") == [*BEFORE[:4], trial(4), added]
        assert store.epochs("digits") == [*CURVES, epoch(1, trial=4)]
    rows = on(storage, lambda c: c.execute(sa.select(TrialRow.family, TrialRow.parent)).all())
    assert rows == [("vit", None), *[("mixer", None)] * 5]


def test_readings_of_test_splits_before_they_could_be_for_no_study_stay(storage: str) -> None:
    write_older(storage, "0008", BEFORE, CURVES)
    columns = "test_digest, study_id, trial, read_at, purpose, command"
    rows = [f"('{'b' * 64}', 1, {trial}, '2026-03-01 12:00:00', 'p', 'c')" for trial in ("NULL", 1)]
    on(
        storage,
        lambda c: c.exec_driver_sql(
            f"INSERT INTO run_test_reading ({columns}) VALUES {', '.join(rows)}"
        ),
    )
    reading = ReadingOfTest(
        test_digest="b" * 64, study=None, trial=None, read_at=NOON, purpose="p", command="c"
    )
    with open_writer(storage) as store:
        store.add_test_reading(reading)
        found = store.test_readings("b" * 64)
        assert [(r.study, r.trial) for r in found] == [
            ("digits", None),
            ("digits", 1),
            (None, None),
        ]
        assert found[2] == reading
        assert store.study_readings("digits") == found[:2]


def schema_of(file: Path) -> str:
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        (revision,) = connection.execute("SELECT version_num FROM run_schema").fetchone()
        return str(revision)


def test_a_file_is_copied_before_its_schema_is_upgraded_and_a_server_is_not(
    storage: str, here: Path
) -> None:
    write_older(storage, "0006", BEFORE, CURVES)
    said: list[str] = []
    for _ in range(2):
        with open_writer(storage, said.append):
            pass
    if "postgres" in storage:
        assert (said, list(here.iterdir())) == ([], [])
        return
    file, copy = here / "results.db", here / "results.db.schema-0006"
    assert said == [f"the database goes from schema 0006 to {HEAD}; as it was it is kept in {copy}"]
    assert sorted(here.iterdir()) == [file, copy]
    assert (schema_of(file), schema_of(copy)) == (HEAD, "0006")
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT count(*) FROM run_trial").fetchone() == (len(BEFORE),)


def test_a_reader_names_the_command_that_upgrades(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    storage = f"sqlite:///{here}/results.db"
    write_older(storage, "0006", BEFORE, CURVES)
    with pytest.raises(StorageError, match="python -m runs upgrade"), open_reader(storage) as store:
        store.studies()
    assert runs_main(["upgrade", "--storage", storage]) == 0
    assert f"as it was it is kept in {here}/results.db.schema-0006" in capsys.readouterr().err
    with open_reader(storage) as store:
        assert len(store.studies()) == 1
    assert runs_main(["upgrade", "--storage", f"sqlite:///{here}/none.db"]) == 2
    assert not (here / "none.db").exists()


def test_a_copy_never_takes_the_place_of_another(here: Path) -> None:
    storage = f"sqlite:///{here}/results.db"
    write_older(storage, "0006", BEFORE, CURVES)
    first = back_up(here / "results.db", "0006")
    assert back_up(here / "results.db", "0006") == first
    kept = first.read_bytes()
    on(storage, lambda c: c.exec_driver_sql("UPDATE run_trial SET seed = seed + 1"))
    assert back_up(here / "results.db", "0006") == here / "results.db.schema-0006-2"
    assert first.read_bytes() == kept
    assert len(list(here.glob("*schema*"))) == 2


def test_where_no_copy_can_be_made_nothing_is_upgraded(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*paths: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    storage = f"sqlite:///{here}/results.db"
    write_older(storage, "0006", BEFORE, CURVES)
    monkeypatch.setattr(os, "link", full)
    with pytest.raises(StorageError, match=r"No space left on device.*nothing was changed$"):
        open_writer(storage).__enter__()
    assert schema_of(here / "results.db") == "0006"
    assert [path.name for path in here.iterdir()] == ["results.db"]


CANNOT_BE = {
    "family": "config = '{}'",
    "counts": "macs = 0",
    "end": "finished_at = NULL",
    "result": "loss = NULL",
    "rung": "rung = 13",
    "reason": "state = 'pruned', rung = 1, error = NULL",
    "failure": "failure = 'timeout'",
}


@pytest.mark.parametrize("rule", CANNOT_BE)
def test_an_older_database_with_a_trial_that_cannot_be_is_refused_and_stays(
    storage: str, rule: str
) -> None:
    write_older(storage, "0006", BEFORE, CURVES)
    on(
        storage,
        lambda c: c.exec_driver_sql(f"UPDATE run_trial SET {CANNOT_BE[rule]} WHERE number = 1"),
    )

    def rows(connection: sa.Connection) -> list[Any]:
        return [
            connection.exec_driver_sql(f"SELECT * FROM {table} ORDER BY 1").all()
            for table in (*TABLES, "run_schema")
        ]

    before = on(storage, rows)
    said: list[str] = []
    for _ in range(2):
        with pytest.raises(
            StorageError, match=rf"trial 1 of study 'digits' cannot be \(run_trial: {rule}: "
        ):
            open_writer(storage, said.append).__enter__()
    assert on(storage, rows) == before
    if "postgres" not in storage:
        file = Path(storage.removeprefix("sqlite:///"))
        (copy,) = file.parent.glob("*.schema-*")
        assert schema_of(copy) == "0006"


REFUSED = {
    "ck_run_trial_origin": "UPDATE run_trial SET origin = 'luck'",
    "ck_run_trial_parent": "UPDATE run_trial SET origin = 'confirmation'",
    "ck_run_trial_initial_weights": "UPDATE run_trial SET initial_weights = 'abc'",
    "ck_run_trial_counts": "UPDATE run_trial SET epochs = 0",
    "ck_run_note_text": "UPDATE run_note SET text = ''",
    "ck_run_trial_end": "UPDATE run_trial SET finished_at = NULL",
    "ck_run_trial_result": "UPDATE run_trial SET loss = NULL",
    "ck_run_trial_rung": "UPDATE run_trial SET rung = 13",
    "ck_run_trial_reason": "UPDATE run_trial SET state = 'pruned', rung = 1, error = NULL",
    "ck_run_trial_failure": "UPDATE run_trial SET timeout_seconds = 5",
    "ck_run_epoch_epoch": "UPDATE run_epoch SET epoch = 0",
    "ck_run_epoch_accuracy": "UPDATE run_epoch SET validation_accuracy = 2",
    "ck_run_epoch_finite": "UPDATE run_epoch SET validation_loss = {infinity}",
    "ck_run_cost_value": "UPDATE run_cost SET value = -1",
    "ck_run_weights_digest": "UPDATE run_weights SET digest = 'abc'",
    "ck_run_weights_size": "UPDATE run_weights SET size_bytes = 0",
    "ck_run_test_reading_digest": "UPDATE run_test_reading SET test_digest = ''",
    "ck_run_test_reading_trial": "UPDATE run_test_reading SET study_id = NULL",
    "ck_run_image_result_split": "UPDATE run_image_result SET split = 'train'",
    "ck_run_image_result_num_images": "UPDATE run_image_result SET num_images = 0, classes = NULL",
    "ck_run_image_result_right": "UPDATE run_image_result SET num_images = 17, classes = NULL",
    "ck_run_image_result_classes": "UPDATE run_image_result SET num_images = 10",
    "ck_run_confirmation_number": "UPDATE run_confirmation SET number = -1",
}


@pytest.fixture
def with_every_table(storage: str) -> str:
    """A complete trial, its curve, a cost, weights, results, and a reading of its test split."""
    return filled(storage)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def refusing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same, for tests whose every statement is refused, which leaves it as it is."""
    if request.param == "postgresql":
        return filled(new_database())
    return filled(f"sqlite:///{tmp_path_factory.mktemp('schema')}/results.db")


def filled(storage: str) -> str:
    with open_writer(storage) as store:
        store.add_study(study())
        store.add_trial("digits", trial(0))
        store.add_epoch("digits", epoch(1))
    engine = engine_for(parse_storage(storage), read_only=False)
    with Session(engine) as session, session.begin():
        session.add(CostRow(trial_id=1, name="latency_ms", value=0.25))
        session.add(WeightsRow(trial_id=1, digest="a" * 64, size_bytes=2**40))
        reading = {"test_digest": "b" * 64, "study_id": 1, "purpose": "report", "command": "x --y"}
        session.add(ReadingRow(trial=0, read_at=NOON, **reading))
        session.add(ReadingRow(trial=None, read_at=NOON, **reading))
        results = {"split": "test", "num_images": 9, "right": b"\xff\x80", "classes": bytes(18)}
        session.add(ImageResultRow(trial_id=1, **results))
        session.add(ConfirmationRow(study_id=1, number=0, began_at=NOON, plan={}))
        session.add(NoteRow(study_id=1, trial=0, text="odd", written_at=NOON))
    engine.dispose()
    return storage


def test_costs_weights_and_readings_of_a_test_split_are_read_as_they_were_written(
    with_every_table: str,
) -> None:
    engine = engine_for(parse_storage(with_every_table), read_only=True)
    with Session(engine) as session:
        assert session.get_one(CostRow, (1, "latency_ms")).value == 0.25
        assert session.get_one(WeightsRow, (1, "a" * 64)).size_bytes == 2**40
        readings = session.scalars(sa.select(ReadingRow).order_by(ReadingRow.id)).all()
        assert [(r.trial, r.read_at, r.purpose) for r in readings] == [
            (0, NOON, "report"),
            (None, NOON, "report"),
        ]
    engine.dispose()


@pytest.mark.parametrize("rule", REFUSED)
def test_what_cannot_be_is_refused_by_the_schema(refusing: str, rule: str) -> None:
    infinity = "'infinity'" if "postgres" in refusing else "9e999"
    statement = REFUSED[rule].format(infinity=infinity)
    with pytest.raises(sa.exc.IntegrityError, match=rule):
        on(refusing, lambda c: c.exec_driver_sql(statement))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE run_trial SET origin = 'finetune', parent = 7",
        "UPDATE run_test_reading SET trial = 7",
        "UPDATE run_cost SET trial_id = 7",
        "UPDATE run_image_result SET trial_id = 7",
        "UPDATE run_confirmation SET study_id = 7",
        "UPDATE run_note SET study_id = 7",
        "UPDATE run_note SET trial = 7",
        "DELETE FROM run_study",
    ],
)
def test_a_row_belongs_to_a_trial_that_is_there(refusing: str, statement: str) -> None:
    """And a study whose test split was read stays."""
    with pytest.raises(sa.exc.IntegrityError, match=r"(?i)foreign key"):
        on(refusing, lambda c: c.exec_driver_sql(statement))


def test_a_trial_may_come_from_another_of_its_study_or_from_weights(with_every_table: str) -> None:
    with open_writer(with_every_table) as store:
        store.add_trials("digits", [trial(number) for number in (1, 2, 3)])
    for number, origin in (
        (1, "origin = 'confirmation', parent = 0"),
        (2, "origin = 'finetune', parent = 0, initial_weights = 'abc'"),
        (3, "origin = 'finetune', initial_weights = 'abc'"),
    ):
        statement = f"UPDATE run_trial SET {origin} WHERE number = {number}"
        assert on(with_every_table, lambda c, s=statement: c.exec_driver_sql(s).rowcount) == 1


def test_an_upgrade_that_fails_leaves_what_was_there(
    storage: str, newer: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_study(storage, trials=14)
    before = contents(storage), on(storage, described)
    newer(
        "    op.add_column('run_study', sa.Column('note', sa.Text(), nullable=True))\n"
        "    op.execute('DELETE FROM run_epoch')\n"
        "    op.execute('SELECT * FROM nowhere')\n"
    )
    with pytest.raises(StorageError, match="nowhere"):
        open_writer(storage).__enter__()
    monkeypatch.undo()
    assert (contents(storage), on(storage, described)) == before


def test_a_newer_schema_is_refused_by_readers_and_writers(storage: str) -> None:
    write_study(storage, trials=14)
    on(storage, lambda c: c.exec_driver_sql("UPDATE run_schema SET version_num = '9999'"))
    for use in (open_reader, open_writer):
        with pytest.raises(StorageError, match=r"newer version .*\(schema 9999\); update this"):
            use(storage).__enter__()


def test_all_our_tables_can_be_told_from_others() -> None:
    assert all(name.startswith("run_") for name in [*Base.metadata.tables, schema.VERSION_TABLE])
