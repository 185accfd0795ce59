"""Table: every trial, to filter, sort, open and download."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st
from streamlit.column_config import DatetimeColumn, NumberColumn, TextColumn

from dashboard import chosen, kept
from dashboard.controls import trials_dataframe
from runs.record import Origin, State
from runs.shown import csv_of, matching, trials_table
from runs.snapshot import Snapshot
from runs.wording import state_word
from space.costs import FLOPS
from space.quantities import counted


def page() -> None:
    snapshot = chosen.now().snapshot
    st.header("Trials")
    rows = _filtered(snapshot)
    left, right = st.columns([3, 1], vertical_alignment="center")
    left.caption(
        f"{counted(len(rows), 'trial')} of {len(snapshot.frame):,}, the latest first. "
        "Click a row to open it, a heading to sort."
    )
    right.download_button(
        "Download CSV",
        lambda: csv_of(rows),
        file_name="trials.csv",
        mime="text/csv",
        on_click="ignore",
        disabled=rows.empty,
    )
    columns = {
        "Training (s)": NumberColumn(format="%.1f"),
        "Ended": DatetimeColumn(format="MM-DD HH:mm", help="A trial's page has the year too."),
        "Reason": TextColumn(width="large"),
    }
    table = trials_table(rows, snapshot.noise, is_run=snapshot.is_run, cost=snapshot.study.cost)
    trials_dataframe(table, "trials", columns, height=min(600, 37 + 35 * max(1, len(table))))


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
    unit, size = ("M FLOPs", 1e6) if cost is FLOPS else (cost.unit, 1.0)
    most = second[0].number_input(
        f"At most so many {unit}", min_value=0.0, value=None, key=kept.number("table_cost", 0.0)
    )
    percent = second[1].number_input(
        "At least so accurate (%)", 0.0, 100.0, None, key=kept.number("table_accuracy", 0.0, 100.0)
    )
    text = second[2].text_input(
        "Text", placeholder="in configuration, reason or device", key=kept.text("table_text")
    )
    return matching(
        snapshot.frame,
        states=states,
        origins=origins,
        families=families,
        cost=cost,
        max_cost=None if most is None else most * size,
        min_accuracy=None if percent is None else percent / 100,
        text=text,
    )


page()
