"""The colours of figures for the theme that the visitor's browser shows."""

from __future__ import annotations

import streamlit as st

from runs.plot.palette import DARK, LIGHT, Palette


def palette() -> Palette:
    """The palette of the visitor's theme; the light one where that is not known yet."""
    return DARK if st.context.theme.type == "dark" else LIGHT
