"""The pages of a study that has just begun, or goes on while they are looked at."""

from __future__ import annotations

import json
import random
import re
import sqlite3
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from records import at, running, study, trial, vit
from sample_study import START, add_trial, planned
from streamlit.testing.v1 import AppTest
from visits import PAGES, click_point, click_row, heading, look_now, visit, words

from dashboard import reading
from runs import lease
from runs.lease import Holder
from runs.record import Origin, State
from runs.record import TestReading as ReadingOfTest
from runs.writer import open_writer

CONFIRMS: dict[str, Any] = {"origin": Origin.CONFIRMATION, "parent": 1}


def a_new_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *trials: Any, **changes: Any
) -> str:
    storage = f"sqlite:///{tmp_path}/new.db"
    monkeypatch.setenv("MIXER_STORAGE", storage)
    with open_writer(storage) as store:
        store.add_study(study("new", **changes))
        for trial in trials:
            store.add_trial("new", trial)
    return storage


def arrives(app: AppTest, storage: str, *trials: Any) -> None:
    """Trials that the page's next run finds, whenever that is."""
    with open_writer(storage) as store:
        for trial in trials:
            store.add_trial("new", trial)
    look_now(app)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("trials", [0, 1])
def test_a_study_that_has_just_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trials: int, page: str
) -> None:
    a_new_study(tmp_path, monkeypatch, *[running(0)][:trials])
    assert not visit(page).error


@pytest.mark.parametrize("page", PAGES)
def test_a_study_whose_baselines_alone_have_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    baseline = at(2_000_000, 0.5, config=vit(), origin=Origin.BASELINE)
    a_new_study(tmp_path, monkeypatch, baseline, running(1))
    assert not visit(page).error


USEFUL = {"dataset": "digits", "min_accuracy": 0.5}


def test_mixers_too_inaccurate_for_the_study_are_shown_and_on_no_front(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = [at(1_000_000, 0.3, rung=1), at(2_000_000, 0.6, 1), at(4_000_000, 0.7, 2)]
    a_new_study(tmp_path, monkeypatch, *trials, spec=USEFUL)
    app = visit()
    drawn = {one["name"]: one for one in json.loads(app.get("plotly_chart")[0].proto.spec)["data"]}
    assert [row[0] for row in drawn["Mixer"]["customdata"]] == [0, 1, 2]
    assert [row[0] for row in drawn["Mixer front"]["customdata"]] == [1, 2]
    assert list(app.dataframe[0].value["Trial"]) == [1, 2]
    assert {one.label: one.value for one in app.metric}["On the front"] == "2"
    assert "Mixers of less than 50.00 % count as useless" in words(app)
    app.select_slider[0].set_value(1_000_000.0).run()
    assert "None yet." in words(app)
    assert list(visit("table").dataframe[0].value["Trial"]) == [2, 1, 0]
    regret = {one.label: one.value for one in visit("progress").metric}
    assert (regret["Exempt"], regret["Of those on the front"]) == ("1", "0")


@pytest.mark.parametrize("page", PAGES)
def test_a_study_whose_mixers_are_all_too_inaccurate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    a_new_study(tmp_path, monkeypatch, at(1_000_000, 0.3), at(2_000_000, 0.4, 1), spec=USEFUL)
    app = visit(page)
    assert not app.error
    if page == "front":
        assert "No searched Mixer has reached 50.00 % yet." in words(app)


def test_trials_of_an_older_version_are_not_accounted_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = at(2_000_000, 0.5, wall_seconds=None)
    storage = a_new_study(tmp_path, monkeypatch, old)
    app = visit("progress")
    assert "recorded by an older version" in words(app)
    assert not app.metric
    with open_writer(storage) as store:
        store.add_trial("new", at(2_000_000, 0.5, 1))
    app = visit("progress")
    assert "Not counted: 1 trial of an older version" in words(app)
    assert app.metric


def test_a_database_without_studies_says_how_to_start_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = f"sqlite:///{tmp_path}/none.db"
    monkeypatch.setenv("MIXER_STORAGE", storage)
    with open_writer(storage):
        pass
    assert "python -m search.run" in words(visit())


def test_results_that_come_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "SECONDS", 0.0)
    storage = a_new_study(tmp_path, monkeypatch, running(0, config=vit()))
    app = visit("progress")
    assert list(app.dataframe[0].value["Epoch"]) == ["0 of 12"]
    draw = random.Random(0)
    with open_writer(storage) as store:
        trial = replace(planned(draw, 5), started_at=START)
        add_trial(store, "new", trial, State.RUNNING, draw)
    arrives(app, storage)
    assert list(app.run().dataframe[0].value["Trial"]) == [0, 1]


@pytest.mark.parametrize(("page", "table"), [("front", "front table"), ("table", "trials")])
def test_a_click_opens_the_trial_that_was_in_the_row_when_it_was_clicked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str, table: str
) -> None:
    monkeypatch.setattr(reading, "SECONDS", 0.0)
    storage = a_new_study(
        tmp_path, monkeypatch, at(4_000_000, 0.5), at(8_000_000, 0.6, 1), at(8_000_000, 0.4, 2)
    )
    app = visit(page)
    clicked = app.dataframe[0].value["Trial"].iloc[0]
    arrives(app, storage, at(2_000_000, 0.4, 3))  # the first row of either table
    assert heading(click_row(app, table, 0)) == f"Trial {clicked}"
    app.switch_page(f"views/{page}.py").run()
    assert app.dataframe[0].value["Trial"].iloc[0] == 3
    assert heading(click_row(app, table, 0)) == "Trial 3"


def test_a_click_on_a_point_opens_its_trial_whatever_has_come_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "SECONDS", 0.0)
    storage = a_new_study(tmp_path, monkeypatch, at(4_000_000, 0.5), at(8_000_000, 0.6, 1))
    app = visit()
    arrives(app, storage, at(2_000_000, 0.4, 2))
    assert heading(click_point(app, "front of FLOPs", 0)) == "Trial 0"


def test_a_limit_at_its_end_follows_the_end_and_one_that_was_moved_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "SECONDS", 0.0)
    storage = a_new_study(tmp_path, monkeypatch, at(1_000_000, 0.5), at(3_000_000, 0.6, 1))
    app = visit()
    assert app.select_slider[0].value == 3_200_000
    arrives(app, storage, at(40_000_000, 0.9, 2))
    app.run()
    assert app.select_slider[0].value == 40_000_000
    assert "90.00 %" in words(app)
    app.select_slider[0].set_value(2_000_000.0).run()
    arrives(app, storage, at(90_000_000, 0.92, 3))
    app.run()
    assert (app.select_slider[0].value, app.select_slider[0].options[-1]) == (2_000_000, "100 M")
    assert "92.00 %" not in words(app)


def test_a_limit_of_speed_at_its_end_follows_the_slowest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "SECONDS", 0.0)
    storage = a_new_study(tmp_path, monkeypatch, at(1_000_000, 0.5))
    app = visit()
    app.session_state["front_axis"] = "images_per_second"
    assert app.run().select_slider[0].value == 10_000
    slow = replace(trial().timing, images_per_second=1_000)
    arrives(app, storage, at(40_000_000, 0.9, 1, timing=slow))
    assert app.run().select_slider[0].value == 1_000


def test_a_database_that_goes_away_gives_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_new_study(tmp_path, monkeypatch, running(0))
    app = visit()
    (tmp_path / "new.db").unlink()
    assert "new.db does not exist" in words(app.run())


def states(page: str) -> list[str]:
    """What the sidebar, and the page itself, call trials that have not ended."""
    app = visit(page, trial="1")
    labels = [metric.label for metric in app.metric] + [str(metric.value) for metric in app.metric]
    tables = [str(table.value.get("State")) for table in app.dataframe]
    said = "\n".join([words(app), *labels, *tables, *[one.value for one in app.subheader]]).lower()
    return [
        word for word in ("2 running", "2 interrupted", "running", "interrupted") if word in said
    ]


@pytest.mark.parametrize("page", PAGES)
def test_trials_of_a_study_that_nobody_runs_are_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    storage = a_new_study(tmp_path, monkeypatch, at(2_000_000, 0.5), running(1), running(2))
    assert states(page) == ["2 interrupted", "interrupted"]
    with open_writer(storage) as store, store.hold("new"):
        assert states(page) == ["2 running", "running"]


def test_trials_of_a_killed_process_are_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It writes nothing, so the database is as it was."""
    monkeypatch.setattr(reading, "SECONDS", 0.0)
    storage = a_new_study(tmp_path, monkeypatch, at(2_000_000, 0.5), running(1))
    with open_writer(storage) as store, store.hold("new"):
        app = visit("progress")
        assert "1 running" in words(app)
        monkeypatch.setattr(Holder, "lives", False)
        said = words(look_now(app).run())
    assert "1 interrupted" in said
    assert "which is gone; its command goes on with it" in said


def test_a_coordinator_elsewhere_runs_its_study_while_its_beats_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process cannot be looked up: on another machine, or one without `/proc`."""
    monkeypatch.setattr(reading, "SECONDS", 0.0)
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 1000.0)
    storage = a_new_study(tmp_path, monkeypatch, at(2_000_000, 0.5), running(1))
    app = visit("progress")

    def shown() -> str:
        return words(look_now(app).run())

    def change(assignment: str) -> None:
        with sqlite3.connect(tmp_path / "new.db") as connection:
            connection.execute(f"UPDATE run_lease SET {assignment}")

    with open_writer(storage) as store, store.hold("new"):
        change("host = 'far', machine = 'another'")
        assert "1 running" in shown()
        assert "on far since" in shown()
        time.sleep(0.3)
        monkeypatch.setattr(lease, "DEAD_AFTER_SECONDS", 0.2)
        said = shown()
        assert "1 interrupted" in said
        assert re.search(r"given no sign of life for \d+ s; its command goes on with it", said)
        assert "1 interrupted" in words(visit("progress")), "another tab knows it at once"
        change("heartbeats = heartbeats + 1")
        assert "1 running" in shown()


def test_where_all_trials_have_ended_there_is_nothing_to_go_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_new_study(tmp_path, monkeypatch, at(2_000_000, 0.5))
    said = words(visit("progress"))
    assert "No process runs this study now. All its trials have ended" in said
    assert "goes on" not in said


def test_where_everything_failed_the_front_says_so_and_of_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reasons = ["not finite", "out of <b>memory", "out of <b>memory"]
    ended = {"state": State.FAILED, "accuracy": None, "loss": None}
    failed = [trial(number, error=reason, **ended) for number, reason in enumerate(reasons)]
    a_new_study(tmp_path, monkeypatch, *failed)
    app = visit()
    assert app.warning[0].value == "No configuration has finished: 3 of 3 trials failed."
    assert "The commonest reason, of 2 trials:" in words(app)
    assert app.code[0].value == "out of <b>memory"
    assert "Progress lists all that failed" in words(app)
    assert heading(app.button(key="open failed").click().run()) == "Trial 1"


def test_trials_that_were_stopped_early_are_called_that_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = at(2_000_000, 0.3, 1, state=State.PRUNED, rung=4, error="too far behind")
    a_new_study(tmp_path, monkeypatch, at(2_000_000, 0.5), stopped)
    for page in PAGES:
        app = visit(page, trial="1")
        assert "1 stopped early" in words(app)
        assert "pruned" not in f"{app.main} {app.sidebar}"


def test_a_confirmation_is_shown_beside_the_search_and_the_reading_of_its_test_split_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its accuracies come from other seeds: no figure of the search has them in it."""
    searched = [at(2_000_000, 0.5), at(4_000_000, 0.7, 1), at(1_000_000, 0.3, 2)]
    repeats = [
        replace(searched[1], number=3 + i, seed=1_000 + i, accuracy=0.9, **CONFIRMS)
        for i in range(2)
    ]
    under_way = running(5, config=searched[1].config, seed=1_002, **CONFIRMS)
    storage = a_new_study(tmp_path, monkeypatch, *searched, *repeats, under_way)
    app = visit()
    assert "test not read" in app.sidebar.text[0].value
    assert "3 trials: 3 complete\n3 trials with fresh seeds" in app.sidebar.text[0].value
    metrics = {one.label: one.value for one in app.metric}
    assert (metrics["Best accuracy"], metrics["Finished"]) == ("70.00 %", "3")
    assert "Of several seeds the mean" not in words(app)
    progress = visit("progress")
    assert list(progress.dataframe[0].value["Trial"]) == [5]
    assert "Besides, 3 trials with fresh seeds took 5 s" in words(progress)
    trial_page = visit("trial", study="new", trial="3")
    assert "Open trial 1" in [button.label for button in trial_page.button]
    facts = dict(trial_page.dataframe[1].value.values)
    assert facts["origin"] == "confirmation of trial 1"
    with open_writer(storage) as store:
        reading_of_test = ReadingOfTest(
            test_digest="c" * 64, study="new", trial=None, read_at=START, purpose="p", command="c"
        )
        store.add_test_reading(reading_of_test, [])
    arrives(app, storage)
    app.run()
    assert "test read once" in app.sidebar.text[0].value
