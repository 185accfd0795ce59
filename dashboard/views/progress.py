"""Progress: what the search has gained for what it spent, and what runs now."""

from __future__ import annotations

import numpy as np
import streamlit as st
from streamlit.column_config import DatetimeColumn, NumberColumn, TextColumn

from dashboard import chosen, reading
from dashboard.controls import trials_dataframe
from dashboard.errors import errors_shown
from dashboard.figures import endings_figure, hypervolume_figure
from dashboard.frames import endings, running_table, unfinished_table
from dashboard.snapshot import Snapshot
from runs.record import State


def page() -> None:
    snapshot = chosen.now().snapshot
    st.header("Progress")
    running = snapshot.counts[State.RUNNING]
    st.subheader("Running now")
    st.fragment(_running, run_every=reading.SECONDS if running else None)(snapshot)
    st.subheader("Hypervolume")
    if snapshot.found:
        _hypervolume(snapshot)
    else:
        st.info("No trial of the search has finished yet. The curves will appear by themselves.")
    st.subheader("Trials ended")
    times = endings(snapshot.trials)
    if times:
        st.plotly_chart(endings_figure(times), key="endings")
    else:
        st.text("None yet.")
    st.subheader("Refused, failed and pruned")
    ended = unfinished_table(snapshot.trials)
    if len(ended):
        trials_dataframe(ended, "unfinished", {"Reason": TextColumn(width="large")})
    else:
        st.text("None.")


def _running(snapshot: Snapshot) -> None:
    with errors_shown():
        under_way = [t for t in snapshot.trials if t.state is State.RUNNING]
        if not under_way:
            st.text("Nothing.")
            return
        curves = reading.curves(snapshot.study.name, [trial.number for trial in under_way])
        last = [curve[-1] if curve else None for curve in curves]
        columns = {
            "Accuracy": NumberColumn("Validation accuracy (%)", format="%.2f"),
            "Loss": NumberColumn("Validation loss (nats)", format="%.3f"),
            "Started": DatetimeColumn(format="distance"),
        }
        trials_dataframe(running_table(list(zip(under_way, last, strict=True))), "running", columns)


def _hypervolume(snapshot: Snapshot) -> None:
    history = snapshot.history
    numbers = np.arange(1, len(history.hypervolume) + 1, dtype=np.float64)
    left, right = st.columns(2)
    with left:
        figure = hypervolume_figure(numbers, history.hypervolume, "Trials finished by the search")
        st.plotly_chart(figure, key="hypervolume by trials")
    with right:
        title = "Training FLOPs spent (3 × FLOPs × images seen)"
        figure = hypervolume_figure(history.training_flops, history.hypervolume, title)
        st.plotly_chart(figure, key="hypervolume by training FLOPs")
    st.caption(
        "Hypervolume: the area that the searched Mixers' front dominates, in accuracy × decades of "
        "FLOPs. It only rises; where it is flat, the search finds nothing better."
    )


page()
