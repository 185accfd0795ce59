"""Opening a page of the dashboard and clicking in it, without a browser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from streamlit.testing.v1 import AppTest

import dashboard

APP = Path(dashboard.__file__).with_name("app.py")
PAGES = sorted(file.stem for file in APP.parent.glob("views/[!_]*.py"))


def visit(page: str = "front", **url: str | list[str]) -> AppTest:
    """The page as it is after opening a link to it."""
    app = AppTest.from_file(APP, default_timeout=60)
    app.query_params.update(url)
    app.run()
    if page != "study":
        app.switch_page(f"views/{page}.py").run()
    assert not app.exception
    return app


def look_now(app: AppTest) -> AppTest:
    """The page's next run looks for news: a reading takes at most a tenth of the time, so that it
    may not be due yet."""
    held = app.session_state["held"]
    app.session_state["held"] = {key: replace(one, next_look=0.0) for key, one in held.items()}
    return app


def heading(app: AppTest) -> str:
    return app.header[0].value


def words(app: AppTest) -> str:
    """All plain text on the page, the sidebar's included."""
    elements = [*app.text, *app.code, *app.info, *app.error, *app.caption]
    return "\n".join(element.value for element in elements)


def click_point(app: AppTest, chart: str, trial: int) -> AppTest:
    """What the browser sends after a click on a point."""
    return select_points(app, chart, [trial])


def select_points(app: AppTest, chart: str, trials: Sequence[int]) -> AppTest:
    """What the browser sends after a click, or a box or a lasso around points: a trial on the front
    is there as a point of the cloud too, and a rim has no trial."""
    points = [{"customdata": [trial, 0, 0]} for trial in [*trials, *trials]]
    selection = {"points": [{"x": 0}, *points], "box": [], "lasso": [], "point_indices": []}
    app.session_state[chart] = {"selection": selection}
    return app.run()


def click_row(app: AppTest, table: str, row: int) -> AppTest:
    app.session_state[table] = {"selection": {"rows": [], "columns": [], "cells": [(row, "Trial")]}}
    return app.run()
