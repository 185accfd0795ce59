"""Why trials did not complete, a line a reason, as a part of a page."""

from __future__ import annotations

import streamlit as st
from streamlit.column_config import TextColumn

from dashboard.controls import trials_dataframe
from runs.reasons import by_reason
from runs.shown import unfinished_table
from runs.snapshot import Snapshot
from space.quantities import counted

_ROWS = 200
"""Of a reason, the latest: more are found on Table, which has filters."""


def show_reasons(snapshot: Snapshot) -> None:
    """How many trials were refused, failed or stopped early, and why; each reason unfolds."""
    groups = by_reason(snapshot.trials)
    if not groups:
        st.text("None.")
        return
    st.caption(
        f"{counted(sum(map(len, groups.values())), 'trial')} of {len(snapshot.trials):,}, by "
        "reason. Unfold one to see which."
    )
    for reason, trials in groups.items():
        with st.expander(f"{reason}: {counted(len(trials), 'trial')}"):
            if len(trials) > _ROWS:
                st.caption(f"The latest {_ROWS}; Table has all.")
            table = unfinished_table(trials[:_ROWS][::-1])
            trials_dataframe(table, f"ended {reason}", {"Reason": TextColumn(width="large")})
