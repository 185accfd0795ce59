"""What happened when, as a part of the page on a study's progress."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from dashboard.controls import trials_chart
from dashboard.theme import palette
from runs.plot.figures.timeline import timeline_figure
from runs.snapshot import Snapshot
from runs.timeline import lanes_of, thinned, timeline
from space.quantities import counted


def show_timeline(snapshot: Snapshot) -> None:
    """The study's trainings in lanes, as far as their times are known."""
    whole = timeline(snapshot.trials, datetime.now(UTC) if snapshot.is_run else None)
    if not whole:
        st.text("No training has ended yet.")
        return
    shown = thinned(whole)
    trials_chart(timeline_figure(shown, palette=palette()), key="timeline")
    lanes = counted(lanes_of(whole), "lane")
    joined = ""
    if len(shown) < len(whole):
        joined = (
            f"{len(whole):,} trainings are drawn as {len(shown):,} bars: short ones next to each "
            "other are one, whose phases are the sums of theirs. "
        )
    st.caption(
        f"A bar a training, in {lanes}, confirmations among them. Which worker trained it is not "
        "recorded: what overlaps ran on different workers, and stands in different lanes. "
        "Compiling: as far as training waited for it; validating follows every epoch, and is drawn "
        f"behind the training. {joined}Click a bar to open its first trial."
    )
