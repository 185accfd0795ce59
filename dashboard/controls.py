"""Things to click that several pages share: a table or a chart whose trials open, a download."""

from __future__ import annotations

import re
from typing import Any, Literal

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from streamlit.column_config import NumberColumn, TextColumn

from dashboard import chosen, zoom
from runs.record import State, TrialRecord
from runs.side_by_side import MOST
from runs.snapshot import Snapshot
from runs.winners import preset_of
from runs.wording import letters_explained
from space.quantities import counted

COLUMNS: dict[str, Any] = {
    "Trial": NumberColumn(width=60),
    "State": TextColumn(width=96),
    "Seed": NumberColumn(width=50),
    "Seeds": NumberColumn(width=60, help="How many the accuracy is the mean of."),
    "Accuracy": NumberColumn("Accuracy (%)", format="%.2f", help="Top-1 on the validation split."),
    "±": NumberColumn(
        "± (points)", format="%.2f", width=80, help="The longer half of the 95 % interval."
    ),
    "FLOPs": NumberColumn("FLOPs (M)", format="%.3f", help="2 × MACs, one image, forward."),
    "Parameters": NumberColumn(format="localized"),
    "Images/s": NumberColumn(format="%.0f", help="Training images per second, as measured."),
}
"""How columns of that name look in every table."""


def trials_chart(figure: go.Figure, key: str, *, several: bool = False) -> None:
    """A figure whose points carry a trial's number first; a click opens that trial's page.

    With `several`, a box or a lasso around points puts their trials side by side.
    """
    # Rims and rings are in the box too, and carry no trial
    points = [point for point in _clicked(key, "points") if point.get("customdata")]
    numbers = list(dict.fromkeys(int(point["customdata"][0]) for point in points))
    too_many = several and len(numbers) > MOST
    if several and 1 < len(numbers) <= MOST:
        chosen.open_trials(numbers)
    if numbers and not too_many:
        chosen.open_trial(numbers[0])
    zoom.restore(figure, chosen.now().snapshot.study.name, key)
    st.plotly_chart(
        figure,
        key=key,
        theme=None,  # the figure has its own, the same as in a notebook and in a file
        on_select="rerun",
        selection_mode=("points", "box", "lasso") if several else "points",
        config=zoom.CONFIG,
    )
    if too_many:  # below the chart, which stays where it is
        st.info(
            f"{counted(len(numbers), 'trial')} are selected, and at most {MOST} can be told apart "
            "side by side; select fewer."
        )


def chart(figure: go.Figure, key: str) -> None:
    """A figure that is only looked at."""
    zoom.restore(figure, chosen.now().snapshot.study.name, key)
    st.plotly_chart(figure, key=key, theme=None, config=zoom.CONFIG)


def trials_dataframe(
    frame: pd.DataFrame,
    key: str,
    columns: dict[str, Any] | None = None,
    height: int | Literal["auto"] = "auto",
    *,
    several: bool = False,
) -> list[int]:
    """A table with a column `Trial`; a click anywhere in a row opens that trial's page.

    With `several`, rows have boxes to tick. Gives back the numbers of the trials that are ticked.
    """
    drawn = f"trials of {key}"
    numbers = [int(number) for number in frame["Trial"]]
    cells = _clicked(key, "cells")
    if cells:
        chosen.open_trial(st.session_state[drawn][cells[0][0]])
    ticked: list[int] = []
    if several:
        before = st.session_state.get(drawn, numbers)
        ticked = [before[row] for row in _clicked(key, "rows")]
        if ticked and before != numbers:  # the browser ticks rows, in which other trials are now
            ticked = [number for number in ticked if number in set(numbers)]
            rows = [numbers.index(number) for number in ticked]
            st.session_state[key] = {"selection": {"rows": rows, "columns": [], "cells": []}}
    st.dataframe(
        frame,
        key=key,
        hide_index=True,
        placeholder="",
        height=height,
        column_config=COLUMNS
        | {"Configuration": TextColumn(help=letters_help(chosen.now().snapshot))}
        | (columns or {}),
        on_select="rerun",
        selection_mode=["multi-row", "single-cell"] if several else "single-cell",
    )
    st.session_state[drawn] = numbers
    return ticked


def letters_help(snapshot: Snapshot) -> str:
    """What the short names of a study's configurations say, to stand behind a question mark."""
    families = dict.fromkeys([*snapshot.study.families, *(t.family for t in snapshot.given)])
    return "\n\n".join(letters_explained(families))


def open_button(trial: TrialRecord, key: str) -> None:
    """Opens the trial's page."""
    if st.button(f"Open trial {trial.number}", key=key):
        chosen.open_trial(trial.number)


def preset_button(snapshot: Snapshot, trial: TrialRecord, key: str) -> None:
    """Downloads a finished trial's configuration as the preset that `search.export` would write."""
    if trial.state is not State.COMPLETE:
        return
    study = snapshot.study
    name = re.sub(r"[^\w-]+", "_", f"{study.name}_trial{trial.number}")
    st.download_button(
        "Download preset",
        preset_of(study, trial, name, snapshot.seeds_of(trial)).to_json(),
        file_name=f"{name}.json",
        mime="application/json",
        key=key,
        on_click="ignore",
    )


def _clicked(key: str, what: str) -> list[Any]:
    """What was clicked in a table or chart as it was drawn last, to be asked before it is drawn
    anew: by then other trials may be in its rows, and another figure has forgotten the click."""
    event = st.session_state.get(key)
    return event["selection"][what] if event else []
