"""What the browser tells of a chart's zoom, and what the next figure makes of it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import plotly.graph_objects as go
import pytest
import streamlit as st

from dashboard import chosen, zoom


@pytest.fixture(autouse=True)
def session(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a browser tab holds, with a study that is looked at."""
    held: dict[str, Any] = {}
    monkeypatch.setattr(st, "session_state", held)
    look_at("first")
    return held


def look_at(study: str) -> None:
    snapshot = SimpleNamespace(study=SimpleNamespace(name=study))
    st.session_state["chosen"] = chosen.Chosen(snapshot, None)  # type: ignore[arg-type]


def told(key: str = "st-key-front-of-FLOPs", **view: Any) -> None:
    """What the lines in the browser send."""
    report = {"key": key, "ranges": {}, "hidden": None, "at": 0} | view
    st.session_state["zoom"] = {"view": report}
    zoom._note()


def figure(study: str = "first", key: str = "front of FLOPs") -> go.Figure:
    drawn = go.Figure([go.Scatter(x=[1, 10], y=[1, 2], name="Mixer"), go.Scatter(name="ViT")])
    drawn.update_xaxes(range=[0, 1], type="log")
    zoom.restore(drawn, study, key)
    return drawn


def test_the_next_figure_begins_as_the_one_before_was_left() -> None:
    told(ranges={"xaxis": [6.1, 6.5], "yaxis": [50, 60]})
    told(hidden=["ViT"])
    drawn = figure()
    assert (drawn.layout.xaxis.range, drawn.layout.yaxis.range) == ((6.1, 6.5), (50, 60))
    assert [trace.visible for trace in drawn.data] == [None, "legendonly"]


def test_another_chart_and_another_study_have_views_of_their_own() -> None:
    told(ranges={"xaxis": [6.1, 6.5]})
    look_at("second")
    told(ranges={"xaxis": [2.0, 3.0]})
    assert figure("first").layout.xaxis.range == (6.1, 6.5)
    assert figure("second").layout.xaxis.range == (2.0, 3.0)
    assert figure(key="front of Parameters").layout.xaxis.range == (0, 1)


def test_a_double_click_gives_the_zoom_up_and_the_legend_not() -> None:
    told(ranges={"xaxis": [6.1, 6.5], "yaxis": [50, 60]})
    told(hidden=["ViT"])
    told(ranges={"xaxis": None, "yaxis": None})
    drawn = figure()
    assert (drawn.layout.xaxis.range, drawn.layout.yaxis.range) == ((0, 1), None)
    assert drawn.data[1].visible == "legendonly"


def test_ends_of_an_axis_of_time_stay_dates() -> None:
    told(ranges={"xaxis": ["2026-11-27 07:00", "2026-11-27 08:00"]})
    assert zoom.restore(drawn := go.Figure(), "first", "front of FLOPs") is None
    assert drawn.layout.xaxis.range == ("2026-11-27 07:00", "2026-11-27 08:00")


@pytest.mark.parametrize(
    "view",
    [
        {"ranges": {"xaxis": [1]}},
        {"ranges": {"xaxis": ["a", {}]}},
        {"ranges": {"title": ["<b>", "<i>"]}},
        {"ranges": "all"},
        {"hidden": 3},
    ],
)
def test_what_no_browser_of_ours_would_tell_changes_nothing(view: dict[str, Any]) -> None:
    before = json.loads(figure().to_json())
    told(**view)
    assert json.loads(figure().to_json()) == before
