"""What is damaged is found and left; spools are put back, and nothing else is touched."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from json_keys import undocumented
from postgres import new_database
from records import NOON, epoch, mixer, running, study, trial
from sample_study import write_study

from runs.lease import LeaseLostError, StudyHeldError
from runs.reader import open_reader
from runs.record import (
    EpochRecord,
    ImageResults,
    KeptResults,
    Note,
    Origin,
    State,
    TrialRecord,
    WeightsRecord,
)
from runs.record import (
    TestReading as ReadingOfTest,
)
from runs.repair.check import check, repair
from runs.spool import SpoolError, spool_path, spooled, spools_of, write_spool
from runs.storage import StorageError
from runs.study_mirror import StudyMirror
from runs.weights_folder import WeightsFolder, weights_folder
from runs.writer import Writer, open_writer
from search.check import main

NUMBER = 20
Contents = tuple[list[TrialRecord], list[EpochRecord]]


@dataclass(frozen=True)
class Place:
    """A database to be damaged."""

    storage: str

    @property
    def is_sqlite(self) -> bool:
        return self.storage.startswith("sqlite")

    @property
    def file(self) -> Path:
        return Path(self.storage.removeprefix("sqlite:///"))

    def run(self, *statements: str) -> None:
        """Runs SQL that nothing holds back: no foreign keys, on SQLite no constraints either."""
        if self.is_sqlite:
            with sqlite3.connect(self.file) as connection:
                connection.execute("PRAGMA ignore_check_constraints = ON")
                for statement in statements:
                    connection.execute(statement)
            connection.close()
            return
        with psycopg.connect(self.storage) as connection:
            connection.execute("SET session_replication_role = replica")
            for statement in statements:
                connection.execute(statement)

    def contents(self, name: str = "sample") -> Contents:
        with open_reader(self.storage) as store:
            return store.trials(name), store.epochs(name)

    def rows(self) -> list[tuple[Any, ...]]:
        """What the tables hold, whether it can be read as records or not."""
        connection = sqlite3.connect(self.file) if self.is_sqlite else psycopg.connect(self.storage)
        with closing(connection):
            if isinstance(connection, sqlite3.Connection):
                connection.text_factory = bytes
            return [
                row
                for table in ("run_study", "run_trial", "run_epoch")
                for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
            ]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with a study in every state; tests damage copies."""
    path = tmp_path_factory.mktemp("sound") / "results.db"
    write_study(f"sqlite:///{path}", trials=NUMBER)
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, sound: Path, here: Path) -> Place:
    if request.param == "sqlite":
        shutil.copy(sound, here / "results.db")
        return Place(f"sqlite:///{here}/results.db")
    url = new_database()
    write_study(url, trials=NUMBER)
    return Place(url)


@pytest.fixture
def lite(sound: Path, here: Path) -> Place:
    shutil.copy(sound, here / "results.db")
    return Place(f"sqlite:///{here}/results.db")


def of_state(contents: Contents, *states: State) -> list[int]:
    return [t.number for t in contents[0] if t.state in states]


def set_trial(number: int, what: str) -> str:
    return f"UPDATE run_trial SET {what} WHERE number = {number}"


def of_trial(number: int) -> str:
    return f"(SELECT id FROM run_trial WHERE number = {number})"


Damage = Callable[[random.Random, Contents], tuple[list[str], int]]
"""SQL, and the number of the trial it damages."""


def on_trial(what: str, *states: State) -> Damage:
    def damage(draw: random.Random, contents: Contents) -> tuple[list[str], int]:
        number = draw.choice(of_state(contents, *states or State))
        return [set_trial(number, what)], number

    return damage


def on_epochs(statement: str, *states: State) -> Damage:
    def damage(draw: random.Random, contents: Contents) -> tuple[list[str], int]:
        number = draw.choice(of_state(contents, *states or ENDED))
        return [statement.format(trial=of_trial(number))], number

    return damage


ENDED = (State.COMPLETE, State.PRUNED)
OTHER = mixer(hidden_dim=99).model_dump_json()
ON_BOTH: dict[str, Damage] = {
    "another configuration": on_trial(f"config = '{OTHER}'"),
    "no configuration": on_trial("config = '{}'"),
    "another digest": on_trial("config_digest = 'abc'"),
    "another family": on_trial("family = 'cnn'"),
    "another bill": on_trial("macs = macs + 1, params = 7"),
    "another accuracy": on_trial("accuracy = accuracy / 2", *ENDED),
    "more epochs asked for": on_trial("epochs = epochs + 1", State.COMPLETE),
    "an epoch gone": on_epochs("DELETE FROM run_epoch WHERE trial_id = {trial} AND epoch = 1"),
    "the last epoch gone": on_epochs(
        "DELETE FROM run_epoch WHERE trial_id = {trial} AND epoch = "
        "(SELECT max(epoch) FROM run_epoch WHERE trial_id = {trial})"
    ),
    "no curve": on_epochs("DELETE FROM run_epoch WHERE trial_id = {trial}"),
    "epochs renumbered": on_epochs(
        "UPDATE run_epoch SET epoch = epoch + 10 WHERE trial_id = {trial}",
        *(*ENDED, State.FAILED, State.RUNNING),
    ),
    "another curve": on_epochs(
        "UPDATE run_epoch SET validation_accuracy = validation_accuracy / 2 "
        "WHERE trial_id = {trial}"
    ),
    "a curve of a refused trial": on_epochs(
        "INSERT INTO run_epoch SELECT {trial}, 1, 1, 1, 1, 1, 1, 1", State.REFUSED
    ),
}
"""What the schema cannot forbid."""

ON_SQLITE: dict[str, Damage] = {
    "another state": on_trial("state = 'running'", *ENDED),
    "no loss": on_trial("loss = NULL", *ENDED),
    "a result": on_trial("accuracy = 0.5, loss = 1", State.RUNNING, State.FAILED, State.REFUSED),
    "no reason": on_trial("error = NULL", State.FAILED, State.PRUNED, State.REFUSED),
    "no end": on_trial("finished_at = NULL", *ENDED, State.FAILED, State.REFUSED),
    "no rung": on_trial("rung = NULL", State.PRUNED),
    "an accuracy that cannot be": on_epochs(
        "UPDATE run_epoch SET validation_accuracy = 2 WHERE trial_id = {trial} AND epoch = 2",
        *(*ENDED, State.FAILED, State.RUNNING),
    ),
    "broken JSON": on_trial("config = '{\"hidden_dim\": 3'"),
    "broken notes": on_trial("sampler_attrs = '['"),
    "a state there is not": on_trial("state = 'lost'"),
    "an origin there is not": on_trial("origin = 'luck'"),
    "an accuracy over 1": on_trial("accuracy = 7", *ENDED),
    "text for a number": on_trial("loss = 'abc', macs = 'many'"),
    "text that is none": on_trial("error = CAST(x'ff00fe' AS TEXT)"),
    "no time": on_trial("started_at = 'yesterday'"),
    "no end that is a time": on_trial("finished_at = 'tomorrow'", *ENDED),
    "an infinite loss": on_epochs(
        "UPDATE run_epoch SET validation_loss = 9e999 WHERE trial_id = {trial}"
    ),
    "a trial gone": on_epochs("DELETE FROM run_trial WHERE id = {trial}"),
    "a study gone": on_epochs("DELETE FROM run_study"),
}
"""What gets past SQLite's schema: its types, and what is written without constraints."""


def assert_found_and_left(place: Place, kind: str, damages: dict[str, Damage]) -> None:
    contents = place.contents()
    statements, _ = damages[kind](random.Random(kind), contents)
    place.run(*statements)
    before = place.rows()
    report = check(place.storage)
    assert report.problems != ()
    assert repair(place.storage) == report
    assert place.rows() == before


def test_a_database_as_a_search_writes_it_has_no_problem(place: Place) -> None:
    before = place.contents()
    report = check(place.storage)
    assert report.problems == report.repaired == ()
    assert report.notes == (
        "study 'sample': trials running: 1; if no process runs the study, its command goes on with "
        "them",
    )
    assert repair(place.storage) == report
    assert place.contents() == before


def test_json_is_the_whole_report_and_the_exit_code_stays(
    lite: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--storage", lite.storage, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["where"], facts["problems"]) == (str(lite.file), [])
    assert not undocumented(facts)
    lite.run("DELETE FROM run_study")
    assert main(["--storage", lite.storage, "--json", "--repair"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["problems"]
    assert err == ""


def test_damaged_pages_are_said_and_left_alone(lite: Place) -> None:
    content = bytearray(lite.file.read_bytes())
    for page in range(8, len(content) // 4096):
        content[4096 * page : 4096 * page + 200] = random.Random(page).randbytes(200)
    lite.file.write_bytes(content)
    (problem,) = check(lite.storage).problems
    assert "pages are damaged" in problem
    assert "restore it from a copy" in problem
    assert repair(lite.storage) == check(lite.storage)
    assert lite.file.read_bytes() == bytes(content)
    write_spool(spool_path(lite.storage, "s"), study("s"), [], [])
    (problem,) = repair(lite.storage).problems
    assert "or move the file away, and --repair makes another of the spools in" in problem
    assert lite.file.read_bytes() == bytes(content)


@pytest.mark.parametrize(
    "place", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)], indirect=True
)
@pytest.mark.parametrize("kind", ON_BOTH)
def test_what_the_schema_cannot_forbid_is_found_and_left(place: Place, kind: str) -> None:
    assert_found_and_left(place, kind, ON_BOTH)


@pytest.mark.parametrize("kind", ON_SQLITE)
def test_what_gets_past_the_schema_of_sqlite_is_found_and_left(lite: Place, kind: str) -> None:
    assert_found_and_left(lite, kind, ON_SQLITE)


def test_a_study_that_cannot_be_read_is_named_and_left(lite: Place) -> None:
    lite.run("UPDATE run_study SET spec = '['")
    for look in (check, repair):
        with pytest.raises(StorageError, match=r"a row cannot be read .*; restore it from a copy$"):
            look(lite.storage)


# Spools


def spool_of(place: Place, name: str = "sample") -> Path:
    """The study as it is, in a spool."""
    with open_reader(place.storage) as store:
        path = spool_path(place.storage, name)
        kept = store.kept_results(name)
        write_spool(path, store.study(name), store.trials(name), store.epochs(name), kept)
    return path


def put_back(place: Place) -> tuple[str, ...]:
    """What a repair did; afterwards nothing is wrong and no spool waits."""
    assert check(place.storage).problems != ()
    report = repair(place.storage)
    assert report.problems == ()
    assert spools_of(place.storage) == []
    assert repair(place.storage).repaired == ()
    return report.repaired


def test_a_repair_waits_until_nobody_runs_a_study_and_a_look_does_not(place: Place) -> None:
    before = place.contents()
    spool_of(place)
    place.run(f"DELETE FROM run_epoch WHERE trial_id = {of_trial(0)}")
    with open_writer(place.storage) as store, store.hold("sample"):
        with pytest.raises(StudyHeldError, match=r"is being run .*; wait until that ends$"):
            repair(place.storage)
        assert len(check(place.storage).problems) == 2
    assert repair(place.storage).problems == ()
    assert place.contents() == before


def test_a_repair_that_stood_still_until_somebody_runs_the_study_does_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = Writer.hold

    @contextmanager
    def hold_in_vain(*args: Any, **options: Any) -> Iterator[StudyMirror]:
        with hold(*args, **options) as mirror:
            place.run("UPDATE run_lease SET holder = 'another'")
            yield mirror

    path = spool_of(place)
    place.run(f"DELETE FROM run_epoch WHERE trial_id = {of_trial(0)}")
    before = place.rows()
    monkeypatch.setattr(Writer, "hold", hold_in_vain)
    with pytest.raises(LeaseLostError, match="was taken over"):
        repair(place.storage)
    assert place.rows() == before
    assert path.exists()


def gone(place: Place) -> None:
    place.file.unlink()


def emptied(place: Place) -> None:
    place.file.write_bytes(b"")


def gone_but_for_its_log(place: Place) -> None:
    """As after a kill: SQLite would read the log into whatever file is made there."""
    connection = sqlite3.connect(place.file)
    connection.execute("UPDATE run_trial SET seed = seed + 1000")
    connection.commit()
    log = place.file.with_name(f"{place.file.name}-wal").read_bytes()
    connection.close()
    assert log
    gone(place)
    place.file.with_name(f"{place.file.name}-wal").write_bytes(log)


def replaced_by_an_older_one(place: Place) -> None:
    gone(place)
    write_study(place.storage, trials=7)


def replaced_by_another_study(place: Place) -> None:
    gone(place)
    write_study(place.storage, "other", trials=7)


@pytest.mark.parametrize(
    "happens",
    [gone, emptied, gone_but_for_its_log, replaced_by_another_study],
    ids=lambda happens: happens.__name__,
)
def test_a_database_that_is_not_there_any_more_is_made_anew_from_the_spool(
    lite: Place, happens: Callable[[Place], None]
) -> None:
    before = lite.contents()
    spool_of(lite)
    happens(lite)
    put_back(lite)
    assert lite.contents() == before
    with sqlite3.connect(lite.file) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_a_database_without_its_table_of_studies_is_kept_beside_the_new_one(lite: Place) -> None:
    before = lite.contents()
    spool_of(lite)
    lite.run("ALTER TABLE run_study RENAME TO studies_were_here")
    put_back(lite)
    assert lite.contents() == before
    with sqlite3.connect(lite.file.with_name(f"{lite.file.name}.old")) as connection:
        assert connection.execute("SELECT count(*) FROM studies_were_here").fetchone() == (1,)
    connection.close()


def test_an_older_copy_gets_what_it_lacks(lite: Place) -> None:
    before = lite.contents()
    spool_of(lite)
    replaced_by_an_older_one(lite)
    put_back(lite)
    assert lite.contents() == before


def test_tables_that_were_dropped_on_a_server_are_made_anew(here: Path) -> None:
    place = Place(new_database())
    write_study(place.storage, trials=NUMBER)
    before = place.contents()
    spool_of(place)
    with psycopg.connect(place.storage) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    put_back(place)
    assert place.contents() == before


def test_trials_a_spool_knows_better_are_replaced_and_others_stay(place: Place) -> None:
    """Of each trial there is the record that says more."""
    trials, epochs = before = place.contents()
    spool_of(place)
    complete = of_state(before, State.COMPLETE)
    place.run(
        f"DELETE FROM run_epoch WHERE trial_id = {of_trial(complete[0])}",
        set_trial(
            complete[0], "state = 'running', accuracy = NULL, loss = NULL, finished_at = NULL"
        ),
    )
    last = trials[-1]
    with open_writer(place.storage) as store:
        added = store.add_epoch("sample", replace(epochs[-1], trial=last.number, epoch=3))
        assert added is None
    put_back(place)
    after_trials, after_epochs = place.contents()
    assert after_trials == trials
    assert [e for e in after_epochs if (e.trial, e.epoch) != (last.number, 3)] == epochs


def test_a_trial_whose_number_is_taken_gets_the_next(place: Place) -> None:
    """The study was run on without its spool."""
    with open_writer(place.storage) as store:
        store.add_study(study())
        store.add_trial("digits", running(0))
    ours = replace(running(7), number=0)
    curve = [epoch(1, trial=0), epoch(2, trial=0)]
    write_spool(spool_path(place.storage, "digits"), study(), [ours, running(5)], curve)
    put_back(place)
    trials, epochs = place.contents("digits")
    assert trials == [running(0), running(5), replace(ours, number=6)]
    assert epochs == [replace(e, trial=6) for e in curve]
    curve.append(epoch(3, trial=0))  # as another process knows it
    write_spool(spool_path(place.storage, "digits"), study(), [ours], curve)
    put_back(place)
    assert place.contents("digits") == (trials, [replace(e, trial=6) for e in curve])


def test_a_spool_of_a_study_begun_anew_since_is_put_into_that(place: Place) -> None:
    later = study(created_at=trial().started_at)
    with open_writer(place.storage) as store:
        store.add_study(later)
    write_spool(spool_path(place.storage, "digits"), study(), [running(0)], [])
    put_back(place)
    with open_reader(place.storage) as store:
        assert store.study("digits") == later
        assert store.trials("digits") == [running(0)]


def test_spools_of_several_failures_are_put_back_together(place: Place) -> None:
    name = "'; DROP TABLE run_trial; --"
    for number in range(3):
        curve = [epoch(1, trial=number)]
        path = spool_path(place.storage, name)
        write_spool(path, study(name), [running(n) for n in range(number + 1)], curve)
    put_back(place)
    trials, epochs = place.contents(name)
    assert trials == [running(n) for n in range(3)]
    assert [e.trial for e in epochs] == [0, 1, 2]


def test_a_spool_of_another_study_of_the_name_is_kept(place: Place) -> None:
    with open_writer(place.storage) as store:
        store.add_study(study())
    path = spool_path(place.storage, "digits")
    write_spool(path, study(spec={"other": 1}), [running()], [])
    for look in (check, repair):
        (problem,) = look(place.storage).problems
        assert "is of another study 'digits' than the one here" in problem
    assert path.exists()


def test_a_spool_that_is_damaged_is_kept_and_does_not_hinder_the_others(lite: Place) -> None:
    before = lite.contents()
    good, bad = spool_of(lite), spool_of(lite).with_name("b.jsonl")
    shutil.copy(good, bad)
    bad.write_bytes(bad.read_bytes()[:-100])
    gone(lite)
    (problem,) = repair(lite.storage).problems
    assert f"spool {bad} was cut or changed" in problem
    assert spools_of(lite.storage) == [bad]
    assert lite.contents() == before


def test_of_a_damaged_spool_alone_no_database_is_made(lite: Place) -> None:
    spool = spool_of(lite)
    spool.write_bytes(b"{}\n")
    gone(lite)
    assert len(repair(lite.storage).problems) == 1
    assert not lite.file.exists()
    assert spool.exists()


def test_what_a_database_cannot_hold_stays_in_the_spool_with_the_reason(place: Place) -> None:
    odd = running(0, error="\0", seed=2**70)
    path = spool_path(place.storage, "digits")
    write_spool(path, study(), [odd], [])
    (problem,) = repair(place.storage).problems
    assert "it cannot be put back: " in problem
    assert path.exists()


# Confirmations


def right(number: int, of: int = 20) -> bytes:
    """The first so many images."""
    return np.packbits(np.arange(of) < number).tobytes()


def results(number: int, split: str = "validation", correct: int = 15) -> ImageResults:
    return ImageResults(trial=number, split=split, num_images=20, right=right(correct))


READING = ReadingOfTest(
    test_digest="c" * 64,
    study="sample",
    trial=None,
    read_at=NOON,
    purpose="confirmation 0",
    command="python -m search.confirm --study sample",
)


def confirm(storage: str, weights: bool = True) -> KeptResults:
    """A confirmation of trial 1 with two fresh seeds, whose test split was read; all of it."""
    with open_writer(storage) as store, store.hold("sample"):
        store.add_confirmation("sample", {"candidates": [1]})
        parent = store.trial("sample", 1)
        repeats = [
            replace(
                parent,
                number=NUMBER + i,
                origin=Origin.CONFIRMATION,
                parent=1,
                seed=1_000 + i,
                accuracy=0.75,
            )
            for i in range(2)
        ]
        added = store.add_trials("sample", repeats)
        last = store.epochs("sample", 1)
        last[-1] = replace(last[-1], validation_accuracy=0.75)
        for trial_ in added:
            store.add_epochs("sample", [replace(e, trial=trial_.number) for e in last])
        folder = weights_folder(storage)
        files = [folder.write(t.number, f"of {t.number}".encode()) for t in added if weights]
        bits = [results(t.number) for t in added]
        store.end_trials("sample", added, weights=files, image_results=bits)
        store.add_test_reading(READING, [results(t.number, "test", 11) for t in added])
        store.add_note("sample", Note(text="why so good?", written_at=NOON, trial=NUMBER))
        return store.kept_results("sample")


def test_a_confirmation_as_it_is_written_has_no_problem(place: Place) -> None:
    kept = confirm(place.storage)
    assert (len(kept.weights), len(kept.image_results), len(kept.readings)) == (2, 4, 1)
    assert check(place.storage).problems == ()


@pytest.mark.parametrize("happens", [emptied, replaced_by_an_older_one], ids=lambda h: h.__name__)
def test_all_that_a_confirmation_wrote_comes_back_from_the_spool(
    lite: Place, happens: Callable[[Place], None]
) -> None:
    kept, before = confirm(lite.storage), lite.contents()
    spool_of(lite)
    happens(lite)
    put_back(lite)
    assert lite.contents() == before
    with open_reader(lite.storage) as store:
        assert store.kept_results("sample") == kept


def test_results_that_the_database_alone_lacks_come_back_too(place: Place) -> None:
    """The trials had ended, and then it failed while the reading was written."""
    kept = confirm(place.storage)
    spool_of(place)
    place.run("DELETE FROM run_test_reading", "DELETE FROM run_image_result WHERE split = 'test'")
    (done,) = put_back(place)
    assert "holds 2 image results, 1 readings of test splits of study 'sample' that are not" in done
    with open_reader(place.storage) as store:
        assert store.kept_results("sample") == kept


def test_a_trial_that_gets_another_number_keeps_its_parent_and_its_results(lite: Place) -> None:
    confirm(lite.storage)
    spool_of(lite)
    lite.run(
        "DELETE FROM run_test_reading",
        f"DELETE FROM run_trial WHERE number >= {NUMBER}",
        "DELETE FROM run_image_result",
        "DELETE FROM run_weights",
        f"DELETE FROM run_epoch WHERE trial_id > {of_trial(NUMBER - 1)}",
    )
    with open_writer(lite.storage) as store:
        other = store.add_trial("sample", running(NUMBER))
    put_back(lite)
    with open_reader(lite.storage) as store:
        moved = NUMBER + 2
        assert store.trial("sample", other.number) == other
        assert [store.trial("sample", n).parent for n in (NUMBER + 1, moved)] == [1, 1]
        assert store.trial("sample", moved).seed == 1_000
        assert store.image_results("sample", "validation").keys() == {NUMBER + 1, moved}
        assert store.weights("sample").keys() == {NUMBER + 1, moved}


def test_a_database_that_fails_while_a_reading_is_written_leaves_it_in_the_spool(
    lite: Place,
) -> None:
    """The test split was opened: the reading is counted when the spool is put back."""
    kept = confirm(lite.storage)
    seen = results(NUMBER, "test", 12)

    def fails() -> None:
        with (
            open_writer(lite.storage) as store,
            store.hold("sample") as mirror,
            spooled(mirror, lite.storage),
        ):
            lite.file.rename(lite.file.with_name("away.db"))
            store.add_test_reading(replace(READING, purpose="again"), [seen])

    with pytest.raises(StorageError, match="All results so far are in"):
        fails()
    lite.file.with_name("away.db").rename(lite.file)
    lite.run("DELETE FROM run_lease")
    put_back(lite)
    with open_reader(lite.storage) as store:
        assert store.study_readings("sample") == [READING, replace(READING, purpose="again")]
    assert len(kept.readings) == 1


CONTRADICTIONS = {
    "its accuracy is not the share of validation images": set_trial(NUMBER, "accuracy = 0.7"),
    "it has results on validation images and is not complete": set_trial(
        NUMBER, "state = 'failed', error = 'x', accuracy = NULL, loss = NULL"
    ),
    "it repeats trial 2 and has another configuration": set_trial(NUMBER, "parent = 2"),
    "it has results on test images, and no reading is counted": "DELETE FROM run_test_reading",
}


@pytest.mark.parametrize("said", CONTRADICTIONS)
def test_what_cannot_be_of_a_confirmation_is_found(lite: Place, said: str) -> None:
    confirm(lite.storage, weights=False)
    lite.run(CONTRADICTIONS[said])
    problems = check(lite.storage).problems
    assert any(said in problem for problem in problems), problems


def test_interrupted_confirmations_are_told_from_interrupted_trials(lite: Place) -> None:
    confirm(lite.storage, weights=False)
    lite.run(
        set_trial(NUMBER, "state = 'running', accuracy = NULL, loss = NULL, finished_at = NULL"),
        "DELETE FROM run_image_result",
        "DELETE FROM run_test_reading",
    )
    assert check(lite.storage).notes == (
        "study 'sample': trials running: 1; if no process runs the study, its command goes on with "
        "them",
        "study 'sample': trials with fresh seeds running: 1; if no process runs the study, the "
        "same search.confirm goes on with them",
    )


# The command


@pytest.fixture
def weights(place: Place) -> WeightsFolder:
    """Weights of two trials, in the folder where they are looked for."""
    folder = weights_folder(place.storage)
    complete = of_state(place.contents(), State.COMPLETE)[:2]
    with open_writer(place.storage) as store:
        records = [folder.write(number, f"of {number}".encode()) for number in complete]
        store.end_trials("sample", [], weights=records)
    return folder


def listed(place: Place) -> dict[int, Path]:
    """The files that the database names, by trial."""
    with open_reader(place.storage) as store:
        records = store.weights("sample")
    return {n: weights_folder(place.storage).file(r.digest) for n, r in records.items()}


def test_weights_that_are_whole_are_no_problem(place: Place, weights: WeightsFolder) -> None:
    report = check(place.storage)
    assert report.problems == ()
    assert not any("weights" in note for note in report.notes)


def test_weights_that_are_missing_or_damaged_are_problems_and_nothing_is_removed(
    place: Place, weights: WeightsFolder
) -> None:
    (first, gone), (second, damaged) = listed(place).items()
    gone.unlink()
    damaged.write_bytes(b"other bytes")
    before = place.contents()
    for report in (check(place.storage), repair(place.storage)):
        missing, changed = report.problems
        assert missing.startswith(f"study 'sample': the weights of trial {first} are not in")
        assert f"the weights of trial {second}, is damaged: its SHA-256" in changed
    assert place.contents() == before
    assert set(listed(place)) == {first, second}
    assert damaged.read_bytes() == b"other bytes"


def test_weights_that_a_search_removes_meanwhile_are_no_problem(
    place: Place, weights: WeightsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = WeightsFolder.read

    def left_the_front(folder: WeightsFolder, record: WeightsRecord) -> bytes:
        with open_writer(place.storage) as store:
            folder.remove(store.end_trials("sample", [], without=[record.trial]))
        return read(folder, record)

    monkeypatch.setattr(WeightsFolder, "read", left_the_front)
    assert check(place.storage).problems == ()


def test_weights_elsewhere_are_one_problem_and_are_found_where_they_are_said_to_be(
    place: Place, weights: WeightsFolder, tmp_path: Path
) -> None:
    elsewhere = weights.path.rename(tmp_path / "elsewhere")
    (problem,) = check(place.storage).problems
    assert "the weights of 2 trials are not here" in problem
    assert "name theirs with --weights-dir" in problem
    assert check(place.storage, elsewhere).problems == ()
    assert main(["--storage", place.storage, "--weights-dir", str(elsewhere)]) == 0


def test_weights_of_no_trial_are_a_note_and_those_of_one_that_is_not_complete_a_problem(
    place: Place, weights: WeightsFolder
) -> None:
    weights.write(0, b"an orphan")
    (weights.path / f"{'a' * 64}.safetensors.x.tmp").write_bytes(b"half")
    ran = of_state(place.contents(), State.RUNNING)[0]
    with open_writer(place.storage) as store:
        store.end_trials("sample", [], weights=[weights.write(ran, b"too early")])
    report = check(place.storage)
    assert report.problems == (f"study 'sample', trial {ran}: it has weights and is not complete",)
    (note,) = [note for note in report.notes if "weights" in note]
    assert "has 2 files of weights (13B) in" in note
    assert "`python -m runs gc` lists" in note
    assert len(list(weights.files())) == 5


def test_the_command_ends_with_0_where_nothing_is_wrong_1_where_something_is(
    lite: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["--storage", lite.storage]
    assert main(argv) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{lite.file}: no problems"
    lite.run(set_trial(3, "macs = 7"))
    assert main(argv) == 1
    assert capsys.readouterr().out.splitlines() == [
        "problem: study 'sample', trial 3: its parameters or MACs are not those of its "
        "configuration",
        "note: study 'sample': trials running: 1; if no process runs the study, its command goes "
        "on with them",
        f"{lite.file}: 1 problem",
    ]


def test_the_command_puts_a_spool_back(lite: Place, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--storage", lite.storage]
    path = spool_of(lite)
    lite.run(f"DELETE FROM run_epoch WHERE trial_id = {of_trial(0)}")
    assert main(argv) == 1
    assert capsys.readouterr().out.splitlines()[-1] == (
        "next: the same command with --repair, once nobody runs a study there"
    )
    assert main([*argv, "--repair"]) == 0
    assert capsys.readouterr().out.startswith(f"repaired: spool {path} holds 1 trials of study")
    assert main(argv) == 0


def test_the_command_says_a_line_each_whatever_names_there_are(
    lite: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    lite.run(
        "UPDATE run_study SET name = 'a' || char(10) || 'repaired: b' || char(27) || '[31m'",
        "UPDATE run_trial SET macs = 7",
        set_trial(3, r"""config = '{"family": "mixer", "\nrepaired: c \u001b[31m": 1}'"""),
    )
    assert main(["--storage", lite.storage]) == 1
    out = capsys.readouterr().out
    assert len(out.splitlines()) == NUMBER + 3
    assert "\x1b" not in out
    assert all(line.startswith("problem: ") for line in out.splitlines()[:NUMBER])


def test_the_command_ends_with_2_where_there_is_nothing_of_ours(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--storage", "sqlite:///none.db"]) == 2
    assert "does not exist, and no spool waits for it" in capsys.readouterr().err
    assert main(["--storage", "sqlite:///none.db", "--repair"]) == 2
    assert list(here.iterdir()) == []
    Path("text.db").write_text("study,trial\n")
    assert main(["--storage", "sqlite:///text.db"]) == 2
    assert "is not a SQLite database" in capsys.readouterr().err
    write_spool(spool_path("sqlite:///text.db", "s"), study("s"), [], [])
    assert main(["--storage", "sqlite:///text.db", "--repair"]) == 2
    assert "or move the file away, and --repair makes another of the spools in text.db.spool" in (
        capsys.readouterr().err
    )
    Path("text.db").unlink()
    assert main(["--storage", "sqlite:///text.db"]) == 1
    assert "spool text.db.spool/" in capsys.readouterr().out
    assert main(["--storage", "sqlite:///text.db", "--repair"]) == 0


def test_errors_of_a_spool_are_of_the_family() -> None:
    assert issubclass(SpoolError, StorageError)
