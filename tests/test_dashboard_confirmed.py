"""The confirmed view of Front as Streamlit runs it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sample_study import write_study
from test_confirmed import confirm, read_test
from test_confirmed import store as store
from visits import click_point, heading, visit, words

from runs.writer import Writer


@pytest.fixture
def page(store: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIXER_STORAGE", f"sqlite:///{tmp_path}/t.db")


@pytest.mark.usefixtures("page")
def test_a_complete_confirmation_is_what_front_shows_first(store: Writer) -> None:
    read_test(store, confirm(store))
    app = visit("front", study="digits")
    assert not app.error
    view = next(group for group in app.segmented_control if group.key == "front_view")
    assert view.value == "Confirmed"
    assert "Mixer is +" in words(app)
    assert "test read once" in words(app)
    assert len(app.get("plotly_chart")) == 4  # fronts, two comparisons, optimism
    view.set_value("Search").run()
    assert not app.error
    assert "Best accuracy" in [metric.label for metric in app.metric]
    assert app.query_params["front_view"] == "Search"  # a link shows the same picture
    again = visit("front", study="digits", front_view="Search")
    assert "Best accuracy" in [metric.label for metric in again.metric]


@pytest.mark.usefixtures("page")
def test_a_click_on_a_confirmed_point_opens_the_trial_that_was_repeated(store: Writer) -> None:
    confirm(store)
    app = click_point(visit("front", study="digits"), "front_confirmed", 1)
    assert heading(app) == "Trial 1"


@pytest.mark.usefixtures("page")
def test_a_confirmation_under_way_says_how_far_it_is(store: Writer) -> None:
    confirm(store, seeds=1, planned=3)
    app = visit("front", study="digits")
    view = next(group for group in app.segmented_control if group.key == "front_view")
    assert view.value == "Search"  # nothing is judged by one training
    view.set_value("Confirmed").run()
    assert "No configuration has two trainings with fresh seeds yet" in words(app)
    (progress,) = app.get("progress")
    assert progress.proto.text.startswith("6 of 18 trainings have ended; no process trains")


def test_without_a_confirmation_there_is_no_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    write_study(url, "sample", trials=12)
    monkeypatch.setenv("MIXER_STORAGE", url)
    app = visit("front", study="sample")
    assert not any(group.key == "front_view" for group in app.segmented_control)
