"""Notes as a page shows them: plain text, whatever they hold."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from runs.record import Note
from runs.shown import moment


def notes_text(notes: Sequence[Note], trial: int | None = None) -> None:
    """Of a study's notes those on one of its trials, or on the whole study, each under the moment
    it was written; nothing where there are none."""
    for note in notes:
        if note.trial != trial:
            continue
        with st.container(border=True, gap=None):
            st.caption(f"Note of {moment(note.written_at)}")
            st.text(note.text)
