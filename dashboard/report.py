"""The report of a study, to take away."""

from __future__ import annotations

import re

import streamlit as st

from dashboard import reading


def report_button(study: str) -> None:
    """Downloads the report that `python -m runs report` would write; it is made when clicked."""
    storage = reading.own_storage()

    def made() -> str:
        from runs.report.written import report_html

        return report_html(study, storage)

    st.download_button(
        "Download report",
        made,
        file_name=re.sub(r"[^\w-]+", "_", study) + ".html",
        mime="text/html",
        key="study_report",
        on_click="ignore",
        help="One HTML file that opens offline: results, figures, recipe, receipts.",
    )
