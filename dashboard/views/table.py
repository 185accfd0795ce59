"""Table: every trial, to filter, sort, open and download."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st
from streamlit.column_config import DatetimeColumn, NumberColumn, TextColumn
from streamlit.delta_generator import DeltaGenerator

from dashboard import chosen, kept
from dashboard.bounds import least_accuracy, most_cost
from dashboard.controls import trials_dataframe
from runs.record import Origin, State
from runs.shown import csv_of, matching, trials_table
from runs.side_by_side import MOST
from runs.snapshot import Snapshot
from runs.trial_columns import all_columns, usual_columns
from runs.wording import state_word
from space.quantities import counted

_WHEN = DatetimeColumn(format="MM-DD HH:mm", help="A trial's page has the year too.")
_SECONDS = NumberColumn(format="%.1f")
_LOOKS = {
    "Training (s)": _SECONDS,
    "Validating (s)": _SECONDS,
    "Compiling (s)": _SECONDS,
    "Tracing (s)": _SECONDS,
    "Wall clock (s)": _SECONDS,
    "Loss (nats)": NumberColumn(format="%.4f"),
    "Ended": _WHEN,
    "Started": _WHEN,
    "Reason": TextColumn(width="large"),
}


def page() -> None:
    snapshot = chosen.now().snapshot
    st.header("All trials")
    rows = _filtered(snapshot)
    tools = st.container(horizontal=True, vertical_alignment="center")
    columns = _columns(tools, snapshot)
    compare = tools.container(width="content")
    tools.download_button(
        "Download CSV",
        lambda: csv_of(rows),
        file_name="trials.csv",
        mime="text/csv",
        on_click="ignore",
        disabled=rows.empty,
    )
    tools.caption(
        f"{counted(len(rows), 'trial')} of {len(snapshot.frame):,}, the latest first. "
        "Click a row to open it, a heading to sort; tick rows to compare them."
    )
    table = trials_table(rows, snapshot.noise, columns, is_run=snapshot.is_run)
    height = min(600, 37 + 35 * max(1, len(table)))
    ticked = trials_dataframe(table, "trials", _LOOKS, height, several=True)
    _compare_button(compare, ticked)


def _columns(place: DeltaGenerator, snapshot: Snapshot) -> dict[str, str]:
    """The columns of the frame that are chosen, to their headings."""
    offered = all_columns(snapshot.study, snapshot.trials)
    usual = list(usual_columns(snapshot.study, snapshot.trials).values())
    with place.popover("Columns"):
        names = list(offered.values())
        picked = st.multiselect(
            "Columns of the table", names, key=kept.choices("table_columns", names, usual)
        )
    return {name: label for name, label in offered.items() if label in picked}


def _compare_button(place: DeltaGenerator, ticked: list[int]) -> None:
    fits = 2 <= len(ticked) <= MOST
    hint = f"Tick two to {MOST} rows, in the boxes at the left." if not fits else None
    label = f"{len(ticked)} side by side" if ticked else "Side by side"
    if place.button(label, disabled=not fits, help=hint, key="compare"):
        chosen.open_trials(ticked)


def _filtered(snapshot: Snapshot) -> pd.DataFrame:
    """The rows that pass the filters, which stand above the table."""
    first = st.columns(3)
    word = partial(state_word, is_run=snapshot.is_run)
    states = first[0].multiselect(
        "State", list(State), format_func=word, key=kept.choices("table_states", list(State))
    )
    known = [origin.value for origin in Origin]
    origins = first[1].multiselect("Origin", known, key=kept.choices("table_origins", known))
    there = sorted(snapshot.frame["family"].unique())
    families = first[2].multiselect("Family", there, key=kept.choices("table_families", there))
    second = st.columns([1, 1, 2])
    cost = snapshot.study.cost
    with second[0]:
        max_cost = most_cost("table", cost)
    with second[1]:
        min_accuracy = least_accuracy("table_accuracy")
    text = second[2].text_input(
        "Text", placeholder="in configuration, reason or device", key=kept.text("table_text")
    )
    return matching(
        snapshot.frame,
        states=states,
        origins=origins,
        families=families,
        cost=cost,
        max_cost=max_cost,
        min_accuracy=min_accuracy,
        text=text,
    )


page()
