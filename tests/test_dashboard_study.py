"""The Study page as Streamlit runs it."""

from __future__ import annotations

from pathlib import Path

import pytest
from records import running, study, trial
from sample_study import HOSTILE, write_study
from visits import heading, visit, words

from runs.record import Origin
from runs.record import TestReading as Reading
from runs.writer import open_writer


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    url = f"sqlite:///{tmp_path}/r.db"
    monkeypatch.setenv("MIXER_STORAGE", url)
    return url


def test_the_start_page_says_how_far_a_study_is_and_what_comes_next(storage: str) -> None:
    write_study(storage, "sample", trials=14)
    app = visit("study", study="sample")
    assert heading(app) == "Study"
    said = words(app)
    assert "configurations have ended" in said
    assert f"python -m search.confirm --study sample --storage {storage}" in said
    assert "The test split was not read" in said
    assert not app.error


def test_the_page_of_a_study_without_trials_is_no_error(storage: str) -> None:
    with open_writer(storage) as store:
        store.put_study(study("empty"))
    app = visit("study", study="empty")
    assert not app.error
    assert "No trial has been timed yet." in words(app)


def test_a_study_that_is_run_by_none_says_that_it_was_interrupted(storage: str) -> None:
    with open_writer(storage) as store:
        store.put_study(study("cut"))
        store.add_trials("cut", [running(0)])
    assert "it was interrupted" in words(visit("study", study="cut"))


def test_studies_of_a_rate_and_of_a_fine_tuning_say_what_they_are(storage: str) -> None:
    start = {"preset": HOSTILE, "sha256": "ab" * 32, "image_size": 8}
    with open_writer(storage) as store:
        store.put_study(study("s.rate-0.1", spec={"rate_of": HOSTILE, "recipe": {"epochs": 2}}))
        store.put_study(study("tuned", spec={"start_from": start}))
        store.add_trials("tuned", [trial(0, origin=Origin.FINETUNE)])
    rate = visit("study", study="s.rate-0.1")
    assert "Tries one learning rate for study" in words(rate)
    tuned = visit("study", study="tuned")
    assert f"Fine-tunes preset {HOSTILE}" in words(tuned)
    for app in (rate, tuned):
        assert not any(HOSTILE in element.value for element in [*app.markdown, *app.caption])


def test_every_reading_of_the_test_split_is_shown_with_its_command(storage: str) -> None:
    reading = Reading(
        test_digest="a" * 64,
        study="read",
        trial=None,
        read_at=trial(0).started_at,
        purpose=HOSTILE,
        command="python -m search.confirm --study read --again",
    )
    with open_writer(storage) as store:
        store.put_study(study("read"))
        store.add_trials("read", [running(0)])
        for _ in range(2):
            store.add_test_reading(reading, [])
    app = visit("study", study="read")
    assert words(app).count(reading.command) == 2
    assert "Test read 2 times, for all studies" in words(app)
    assert not any(HOSTILE in element.value for element in [*app.markdown, *app.caption])


def test_a_study_that_is_run_shows_its_progress(storage: str) -> None:
    spec = study().spec | {"asked": {"trials": 4, "baselines": False}}
    with open_writer(storage) as store, store.hold("run"):
        store.put_study(study("run", spec=spec))
        store.add_trials("run", [trial(0), running(1)])
        app = visit("study", study="run")
    (progress,) = app.get("progress")
    assert progress.proto.text.startswith("1 of 4 configurations have ended")
    assert progress.proto.value == 25
    assert "Run by process" in words(app)
    assert "waits until it has ended" in words(app)


def test_the_bar_of_a_study_that_is_confirmed_is_that_of_its_fresh_seeds(storage: str) -> None:
    """Also where the search was given up before its end."""
    spec = study().spec | {"asked": {"trials": 4, "baselines": False}}
    plan = {"kind": "front", "seeds": 2, "level": 0.95, "first_seed": 10, "left_out": []}
    plan |= {"candidates": [{"trial": 0, "probability": None}]}
    with open_writer(storage) as store, store.hold("run"):
        store.put_study(study("run", spec=spec))
        store.add_trials("run", [trial(0)])
        store.add_confirmation("run", plan)
        store.add_trials("run", [running(1, origin=Origin.CONFIRMATION, seed=10, parent=0)])
        app = visit("study", study="run")
    (progress,) = app.get("progress")
    assert progress.proto.text == "Confirmation: 0 of 2 trainings have ended."
    assert "1 of 4 configurations have ended." in words(app)
