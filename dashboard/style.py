"""How pages are laid out, where Streamlit has no option for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

_CSS = """
<style>
[data-testid="stHeader"] { height: 2.5rem; min-height: 2.5rem; }
[data-testid="stMainBlockContainer"] { padding-top: 2.75rem; padding-bottom: 3rem; }
[data-testid="stHorizontalBlock"] { row-gap: 1rem; }
@media (min-width: 640px) {
  [data-testid="stMainBlockContainer"] { padding-left: 3rem; padding-right: 3rem; }
}
@media (min-width: 640px) and (max-width: 1300px) {
  [data-testid="stMainBlockContainer"] { padding-left: 2rem; padding-right: 2rem; }
}
[data-testid="stSidebarHeader"] { height: 2.5rem; margin-bottom: 0; }
[class*="st-key-row_"] [data-testid="stColumn"] { min-width: min(19.5rem, 100%); }
</style>
"""
"""A constant: nothing that anybody has written comes into it."""


def apply() -> None:
    """Titles at the top, and narrow windows used to their edges."""
    st.html(_CSS)


def row(key: str, number: int) -> list[DeltaGenerator]:
    """Columns for charts and tables, which go below each other where each would be narrow."""
    with st.container(key=f"row_{key}"):
        return st.columns(number)
