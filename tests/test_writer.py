"""The store's promises, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import psycopg
import pytest
import sqlalchemy as sa
from postgres import new_database
from records import epoch, mixer, running, study, trial, vit
from sample_study import write_study

import runs
from runs.reader import Reader, UnknownStudyError, open_reader
from runs.record import (
    Failure,
    ImageResults,
    Origin,
    State,
    Timing,
    TrialRecord,
    WeightsRecord,
)
from runs.record import (
    TestReading as ReadingOfTest,
)
from runs.storage import StorageError
from runs.writer import Writer, open_writer


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a place where there is no database of ours yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/results.db"
    return new_database()


@pytest.fixture
def writer(storage: str) -> Iterator[Writer]:
    """A writer in which there is a study without trials, `digits`."""
    with open_writer(storage) as store:
        store.add_study(study())
        yield store


@pytest.fixture
def reader(storage: str, writer: Writer) -> Iterator[Reader]:
    with open_reader(storage) as store:
        yield store


AWARE = datetime(2026, 3, 29, 2, 30, 0, 1, tzinfo=timezone(timedelta(hours=5, minutes=45)))

STUDIES = {
    "plain": study(),
    "no spec": study(spec={}),
    "all there is in JSON": study(
        spec={"a": [1, 2.5, None, True, "x"], "b": {"c": {}}, "ü\n'\"{%": "語 \\ </script>"}
    ),
    "dear": study(flops_ceiling=2**62),
    "many classes": study(num_classes=21_841),
    "another time zone": study(created_at=AWARE),
}

TRIALS = {
    "complete": trial(),
    "running": running(),
    "a ViT": trial(config=vit(classifier="gap")),
    "a baseline": trial(origin=Origin.BASELINE),
    "failed": running(state=State.FAILED, error="the loss was not finite at epoch 2"),
    **{
        f"failed: {failure}": running(state=State.FAILED, error="why", failure=failure)
        for failure in Failure
    },
    "took too long": running(
        state=State.FAILED, error="why", failure=Failure.TIMEOUT, timeout_seconds=0.1 + 0.2
    ),
    "pruned": running(state=State.PRUNED, error="below the best half"),
    "refused": running(state=State.REFUSED, environment=None, error="tried before"),
    "outside git": trial(environment=replace(trial().environment, git_revision=None)),
    "no versions": trial(environment=replace(trial().environment, versions={})),
    "no accuracy lost": trial(accuracy=0.1 + 0.2, loss=1e-17),
    "perfect": trial(accuracy=1.0, loss=0.0),
    "hopeless": trial(accuracy=0.0),
    "dear": trial(macs=2**61, params=2**53 + 1),
    "hostile words": trial(error="'; DROP TABLE run_trial; -- \\ \" % {} ü 語 \t\n"),
    "from the cache": trial(timing=replace(trial().timing, cache_hit=True, device_bytes=2**40)),
    "diverged after a while": trial(state=State.FAILED, accuracy=None, loss=None, wall_seconds=0.0),
    "timed in part": trial(
        timing=Timing(compile_seconds=1, train_seconds=2, eval_seconds=3, images_per_second=4),
        wall_seconds=None,
    ),
    "another time zone": trial(started_at=AWARE, finished_at=AWARE + timedelta(days=1)),
}


def test_studies_are_read_as_they_were_written(writer: Writer, reader: Reader) -> None:
    for kind, record in STUDIES.items():
        record = replace(record, name=f"{kind} 'ü' %s {{}}")
        assert writer.add_study(record) == record
        for store in (writer, reader):
            assert store.study(record.name) == record
            assert store.study(record.name).created_at.tzinfo is UTC


def test_trials_are_read_as_they_were_written(writer: Writer, reader: Reader) -> None:
    for kind, record in TRIALS.items():
        writer.add_study(study(kind))
        assert writer.add_trial(kind, replace(record, number=-1)) == record
        assert reader.trial(kind, 0) == record
        assert reader.trials(kind) == [record]
        assert type(reader.trial(kind, 0).config) is type(record.config)
        assert reader.trial(kind, 0).started_at.tzinfo is UTC


def test_a_trial_names_the_one_it_repeats(writer: Writer, reader: Reader) -> None:
    first = writer.add_trial("digits", trial(0))
    again = [
        trial(1 + i, config=first.config, seed=10 + i, origin=origin, parent=0)
        for i, origin in enumerate((Origin.CONFIRMATION, Origin.FINETUNE))
    ]
    assert writer.add_trials("digits", again) == again
    assert reader.trials("digits") == [first, *again]
    with pytest.raises(sa.exc.IntegrityError):
        writer.add_trial("digits", trial(3, origin=Origin.CONFIRMATION, parent=None))
    assert len(reader.trials("digits")) == 3


def results_of(trial: int, split: str = "validation", seed: int = 0) -> ImageResults:
    """Of 1,003 images, with classes."""
    numbers = np.random.default_rng(seed)
    return ImageResults(
        trial=trial,
        split=split,
        num_images=1_003,
        right=np.packbits(numbers.random(1_003) < 0.5).tobytes(),
        classes=numbers.integers(0, 2**16, 1_003, dtype="<u2").tobytes(),
    )


def test_image_results_come_with_the_end_of_their_trial(writer: Writer, reader: Reader) -> None:
    writer.add_trials("digits", [running(0), running(1), running(2)])
    first, second = results_of(0), replace(results_of(1, seed=1), classes=None)
    writer.end_trials("digits", [trial(0), trial(1)], image_results=[first, second])
    assert reader.image_results("digits", "validation") == {0: first, 1: second}
    assert reader.image_results("digits", "test") == {}
    with pytest.raises(sa.exc.IntegrityError):  # bits of so many images there are not
        writer.end_trials("digits", [trial(2)], image_results=[replace(results_of(2), right=b"x")])
    assert reader.trial("digits", 2).state is State.RUNNING
    assert reader.image_results("digits", "validation").keys() == {0, 1}


def test_a_reading_of_the_test_split_comes_with_all_it_showed_or_not_at_all(
    writer: Writer, reader: Reader
) -> None:
    writer.add_study(study("other"))
    writer.add_trials("digits", [trial(0), trial(1)])
    reading = ReadingOfTest(
        test_digest="c" * 64,
        study="digits",
        trial=None,
        read_at=AWARE,
        purpose="confirmation 0",
        command="python -m search.confirm --study 'digits ü'",
    )
    shown = [results_of(0, "test"), results_of(1, "test", seed=1)]
    with pytest.raises(UnknownStudyError, match="no trial 7"):
        writer.add_test_reading(reading, [*shown, results_of(7, "test")])
    assert reader.study_readings("digits") == []
    assert reader.image_results("digits", "test") == {}
    writer.add_test_reading(reading, shown)
    again = replace(reading, study="other", trial=None, purpose="evaluate")
    writer.add_test_reading(again, [])
    writer.add_test_reading(replace(reading, trial=1), [results_of(1, "test", seed=2)])
    writer.add_test_reading(replace(again, test_digest="d" * 64), [])
    assert reader.test_readings("c" * 64) == [reading, again, replace(reading, trial=1)]
    assert reader.study_readings("digits") == [reading, replace(reading, trial=1)]
    assert reader.test_readings("e" * 64) == []
    assert reader.image_results("digits", "test") == {0: shown[0], 1: results_of(1, "test", 2)}
    assert reader.image_results("digits", "validation") == {}


def test_confirmations_are_numbered_in_their_study(writer: Writer, reader: Reader) -> None:
    writer.add_study(study("other"))
    plans = [{"candidates": [{"trial": 3}], "level": 0.95}, {"ü": None}]
    for plan in plans:
        writer.add_confirmation("digits", plan)
    added = writer.add_confirmation("other", plans[0])
    found = reader.confirmations("digits")
    assert [(c.number, c.plan) for c in found] == list(enumerate(plans))
    assert found[0].began_at <= found[1].began_at <= datetime.now(UTC)
    assert reader.confirmations("other") == [added]


def test_trials_become_what_they_are_updated_to(writer: Writer, reader: Reader) -> None:
    for kind, record in TRIALS.items():
        writer.add_study(study(kind))
        writer.add_trial(kind, running())
        writer.update_trial(kind, record)
        assert reader.trials(kind) == [record]


def test_epochs_are_read_as_they_were_written_by_trial_and_epoch(
    writer: Writer, reader: Reader
) -> None:
    for number in (0, 1):
        writer.add_trial("digits", running(number))
    second, first = epoch(2, trial=1), epoch(1, trial=1)
    others = [epoch(1, train_loss=0.1 + 0.2), epoch(2)]
    for record in (second, first, *others):
        writer.add_epoch("digits", record)
    assert reader.epochs("digits") == [*others, first, second]
    assert reader.epochs("digits", 1) == [first, second]
    assert reader.epochs("digits", 5) == []


def test_trials_are_numbered_from_0_in_each_study(writer: Writer, reader: Reader) -> None:
    writer.add_study(study("other"))
    for name in ("digits", "other", "digits", "digits"):
        writer.add_trial(name, trial(config=mixer(hidden_dim=len(writer.trials(name)) + 1)))
    assert [t.number for t in reader.trials("digits")] == [0, 1, 2]
    assert [t.number for t in reader.trials("other")] == [0]


def test_studies_come_newest_first_and_the_first_of_a_name_stays(
    writer: Writer, reader: Reader
) -> None:
    writer.add_study(study("other"))
    assert writer.add_study(study("digits", num_classes=7)) == study("digits")
    assert reader.studies() == [study("other"), study("digits")]


def test_a_configuration_is_tried_once_a_seed_unless_it_was_refused(
    writer: Writer, reader: Reader
) -> None:
    writer.add_trial("digits", trial(0))
    with pytest.raises(sa.exc.IntegrityError):  # a bug of whoever asks, not of the database
        writer.add_trial("digits", trial(0))
    writer.add_trial("digits", trial(0, seed=4))
    for _ in range(2):
        writer.add_trial("digits", running(0, state=State.REFUSED, error="tried before"))
    writer.add_study(study("other"))
    writer.add_trial("other", trial(0))
    assert [t.number for t in reader.trials("digits")] == [0, 1, 2, 3]


def test_an_accuracy_that_cannot_be_is_not_stored(writer: Writer, reader: Reader) -> None:
    for wrong in (1.01, -0.01, None):  # None: a complete trial has one
        with pytest.raises(sa.exc.IntegrityError):
            writer.add_trial("digits", trial(accuracy=wrong))
    assert reader.trials("digits") == []


def test_an_epoch_is_stored_once(writer: Writer) -> None:
    writer.add_trial("digits", running())
    writer.add_epoch("digits", epoch(1))
    with pytest.raises(sa.exc.IntegrityError):
        writer.add_epoch("digits", epoch(1))


def test_a_trial_that_is_taken_up_again_has_the_epochs_it_goes_on_from_and_no_others(
    writer: Writer, reader: Reader
) -> None:
    for number in (0, 1):
        writer.add_trial("digits", running(number))
        writer.add_epochs("digits", [epoch(e, trial=number) for e in (1, 2, 3)])
    again = running(0, started_at=AWARE)
    writer.restart_trials("digits", [again], [epoch(1), epoch(2)])
    assert reader.trial("digits", 0) == again
    assert reader.curves("digits").keys() == {0, 1}
    assert [e.epoch for e in reader.epochs("digits", 0)] == [1, 2]
    assert [e.epoch for e in reader.epochs("digits", 1)] == [1, 2, 3]
    writer.restart_trials("digits", [again], [])
    assert reader.epochs("digits", 0) == []
    writer.add_epoch("digits", epoch(1))
    writer.update_trial("digits", trial(0))
    assert len(reader.epochs("digits")) == 4


def test_what_is_not_there_is_answered_with_what_is(writer: Writer, reader: Reader) -> None:
    for store in (writer, reader):
        with pytest.raises(UnknownStudyError) as caught:
            store.study("digit")
        assert str(caught.value) == (
            f"study 'digit' is not in {store.where} (did you mean 'digits'?); there are: 'digits'"
        )
        with pytest.raises(UnknownStudyError, match="study None is not in"):
            store.study(None)  # type: ignore[arg-type]  # no reason to call the file damaged
        with pytest.raises(UnknownStudyError, match="has no trial 0; it has none yet"):
            store.trial("digits", 0)
    for number in range(13):
        writer.add_study(study(f"e{number}"))
    newest = ", ".join(f"'e{number}'" for number in range(12, 2, -1))
    with pytest.raises(UnknownStudyError, match=f"; there are: {newest} and 4 more$"):
        reader.study("x")
    for number in range(3):
        writer.add_trial("digits", trial(number))
    with pytest.raises(UnknownStudyError, match="has no trial 3; its trials are 0 to 2"):
        writer.update_trial("digits", trial(3))
    with pytest.raises(UnknownStudyError, match="has no trial 3; its trials are 0 to 2"):
        writer.restart_trials("digits", [trial(3)], [])
    with pytest.raises(UnknownStudyError, match="has no trial 7; its trials are 0 to 2"):
        writer.add_epoch("digits", epoch(1, trial=7))


def test_every_question_about_an_unknown_study_names_it(writer: Writer, reader: Reader) -> None:
    asked: list[Callable[[], object]] = [
        lambda: reader.study("x"),
        lambda: reader.trials("x"),
        lambda: reader.trial("x", 0),
        lambda: reader.epochs("x"),
        lambda: reader.epochs("x", 3),
        lambda: writer.add_trial("x", trial()),
        lambda: writer.update_trial("x", trial()),
        lambda: writer.restart_trials("x", [trial()], []),
        lambda: writer.add_epoch("x", epoch()),
    ]
    for ask in asked:
        with pytest.raises(UnknownStudyError, match="study 'x' is not in"):
            ask()


def test_no_name_or_number_is_too_odd_to_be_answered(reader: Reader) -> None:
    for name in ("", "\0", "\udcff", "x" * 10_000, "'; --", "%s{}"):
        with pytest.raises(StorageError):
            reader.study(name)
    for number in (-1, 2**31, 2**63, 2**70):
        with pytest.raises(StorageError):
            reader.trial("digits", number)
    assert reader.studies() == [study()]


def test_a_reader_cannot_write_even_by_mistake(reader: Reader) -> None:
    smuggled = Writer(reader._engine, reader.where)
    with pytest.raises(StorageError, match=r"read-?only"):
        smuggled.add_study(study("smuggled"))
    assert reader.studies() == [study()]


def test_a_reader_sees_the_last_commit_while_a_writer_writes(
    writer: Writer, reader: Reader
) -> None:
    with writer._session() as session:
        session.execute(sa.text("UPDATE run_study SET num_classes = 3"))
        assert reader.study("digits").num_classes == 10
    assert reader.study("digits").num_classes == 3


def test_a_reader_of_a_place_without_studies_is_told_how_to_begin(storage: str) -> None:
    with pytest.raises(StorageError, match=r"python -m search\.run --study mixer_digits"):
        open_reader(storage).__enter__()


def test_a_study_goes_on_where_it_was_left(storage: str) -> None:
    write_study(storage, trials=14)
    with open_writer(storage) as store:
        before = store.trials("sample")
        added = store.add_trial("sample", trial())
        assert added.number == 14
    with open_reader(storage) as store:
        assert store.trials("sample") == [*before, added]


def test_a_study_is_one_call_away_as_a_data_frame(storage: str) -> None:
    write_study(storage, trials=14)
    with open_reader(storage) as store:
        trials, epochs = store.trials("sample"), store.epochs("sample")
    frame, curves = runs.frame("sample", storage), runs.curves("sample", storage)
    assert list(frame["number"]) == [t.number for t in trials]
    assert list(curves["validation_loss"]) == [e.validation_loss for e in epochs]
    with pytest.raises(UnknownStudyError):
        runs.frame("simple", storage)


def test_a_connection_the_server_closed_is_opened_again() -> None:
    url = new_database()
    with open_writer(url) as store:
        store.add_study(study())
        with psycopg.connect(url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        assert store.studies() == [study()]


def any_trial(draw: random.Random, number: int) -> TrialRecord:
    return trial(number, accuracy=draw.random(), config=mixer(hidden_dim=draw.randrange(1, 10**6)))


def test_many_trials_keep_their_order(writer: Writer, reader: Reader) -> None:
    draw = random.Random(0)
    written = [writer.add_trial("digits", any_trial(draw, number)) for number in range(60)]
    assert reader.trials("digits") == written


def test_a_trial_ends_with_its_weights_or_not_at_all(writer: Writer, reader: Reader) -> None:
    writer.add_trials("digits", [running(0), running(1)])
    kept = WeightsRecord(trial=0, digest="a" * 64, size_bytes=7)
    with pytest.raises(UnknownStudyError, match="has no trial 9"):
        writer.end_trials("digits", [trial(0)], weights=[kept, replace(kept, trial=9)])
    assert reader.trial("digits", 0).state is State.RUNNING
    assert reader.weights("digits") == {}
    assert writer.end_trials("digits", [trial(0)], weights=[kept]) == []
    assert reader.trial("digits", 0) == trial(0)
    assert reader.weights("digits") == {0: kept}


def test_a_file_is_of_no_use_when_the_last_trial_that_refers_to_it_keeps_it_no_more(
    writer: Writer, reader: Reader
) -> None:
    writer.add_study(study("other"))
    shared = WeightsRecord(trial=0, digest="a" * 64, size_bytes=7)
    for name in ("digits", "other"):
        writer.add_trial(name, running(0))
        writer.end_trials(name, [trial(0)], weights=[shared])
    newer = replace(shared, digest="b" * 64)
    assert writer.end_trials("digits", [trial(0)], weights=[newer]) == []
    assert reader.weights("digits") == {0: newer}
    assert writer.end_trials("digits", [], without=[0]) == [newer.digest]
    assert writer.end_trials("other", [], without=[0]) == [shared.digest]
    assert reader.weights("digits") == reader.weights("other") == {}


def test_measured_costs_take_the_place_of_those_of_the_same_name(
    writer: Writer, reader: Reader
) -> None:
    writer.add_study(study("other"))
    kept = {"layers": 2.0, "latency_jax_ms": 0.3}
    for name in ("digits", "other"):
        writer.add_trials(name, [trial(i, costs=kept) for i in range(3)])
    measured = {"latency_jax_ms": {1: 0.1 + 0.2, 2: 7.0}, "latency_onnx_ms": {2: 4.0}}
    with writer.hold("digits") as mirror:
        writer.put_costs("digits", measured)
        assert [t.costs for t in reader.trials("digits")] == [
            {"layers": 2.0},
            {"layers": 2.0, "latency_jax_ms": 0.1 + 0.2},
            {"layers": 2.0, "latency_jax_ms": 7.0, "latency_onnx_ms": 4.0},
        ]
        assert mirror.trials == reader.trials("digits")
    assert [t.costs for t in reader.trials("other")] == [kept] * 3


def test_costs_of_a_trial_that_is_not_there_change_nothing(writer: Writer, reader: Reader) -> None:
    writer.add_trial("digits", trial(0, costs={"latency_jax_ms": 0.3}))
    with pytest.raises(UnknownStudyError, match="7"):
        writer.put_costs("digits", {"latency_jax_ms": {0: 1.0, 7: 2.0}})
    assert reader.trial("digits", 0).costs == {"latency_jax_ms": 0.3}
