"""Notes: written beside a study that runs, listed, removed, and shown as plain text."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from json_keys import undocumented
from postgres import new_database
from records import NOON, running, study, trial
from sample_study import HOSTILE
from visits import look_now, visit

from runs.__main__ import main
from runs.reader import open_reader
from runs.record import Note
from runs.writer import open_writer


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    url = new_database() if request.param == "postgresql" else f"sqlite:///{tmp_path}/notes.db"
    with open_writer(url) as store:
        store.add_study(study())
        store.add_trials("digits", [trial(0), trial(1), running(2)])
    return url


def note(storage: str, *words: str) -> int:
    return main(["note", "digits", *words, "--storage", storage])


def texts(storage: str) -> list[tuple[int | None, str]]:
    with open_reader(storage) as store:
        return [(one.trial, one.text) for one in store.notes("digits")]


def test_notes_are_written_listed_and_removed(
    storage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert note(storage, "a first look") == note(storage, "1", "best\nso far") == 0
    assert texts(storage) == [(None, "a first look"), (1, "best\nso far")]
    capsys.readouterr()
    assert note(storage, "1", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(n["note"], n["trial"], n["text"]) for n in listed["notes"]] == [(1, 1, "best\nso far")]
    assert not undocumented(listed)
    assert note(storage, "--remove", "0") == note(storage) == 0
    assert texts(storage) == [(1, "best\nso far")]
    out = capsys.readouterr().out
    assert "removed: note 0 on the study" in out
    assert "    best\n    so far\n1 note\n" in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["7", "x"], "has no trial 7; its trials are 0 to 2"),
        (["7"], "has no trial 7"),
        (["  "], "the note is empty"),
        (["x" * 4_001], "4,001 characters"),
        (["a\x00b"], "control characters"),
        (["good", "one"], "put the text in quotes"),
        (["1", "good", "one"], "put the text in quotes"),
        (["--remove", "0"], "no such note; there is none"),
        (["x", "--remove", "0"], "ask for one"),
        (["1", "--remove", "0"], "leave trial 1 out"),
    ],
)
def test_what_cannot_be_a_note_gets_a_sentence(
    tmp_path: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path}/notes.db"
    with open_writer(url) as store:
        store.add_study(study())
        store.add_trials("digits", [trial(0), trial(1), running(2)])
    assert note(url, *words) == 2
    assert says in capsys.readouterr().err
    assert texts(url) == []


def test_a_database_that_is_misspelt_is_not_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert note(f"sqlite:///{tmp_path}/none.db", "x") == 2
    assert "does not exist" in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


def test_a_study_that_another_process_runs_gets_notes_and_writes_on(storage: str) -> None:
    with open_writer(storage) as runs_it, runs_it.hold("digits"):
        for number in range(3):
            assert note(storage, "2", f"while it runs {number}") == 0
            runs_it.update_trial("digits", replace(trial(2), accuracy=0.1 * number))
    assert texts(storage) == [(2, f"while it runs {number}") for number in range(3)]
    with open_reader(storage) as store:
        assert store.trial("digits", 2).accuracy == 0.2


def test_the_page_of_a_trial_shows_its_notes_as_plain_text_and_a_new_one_is_news(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/notes.db"
    monkeypatch.setenv("MIXER_STORAGE", url)
    with open_writer(url) as store:
        store.add_study(study())
        store.add_trials("digits", [trial(0), trial(1)])
        store.add_note("digits", Note(text=HOSTILE, written_at=NOON, trial=1))
        store.add_note("digits", Note(text="on another", written_at=NOON, trial=0))
    app = visit("trial", study="digits", trial="1")
    assert HOSTILE in [text.value for text in app.text]
    assert "on another" not in [text.value for text in app.text]
    assert note(url, "1", "a new one") == 0
    look_now(app).run()
    assert "a new one" in [text.value for text in app.text]
