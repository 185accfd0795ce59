"""The script Streamlit runs: navigation, the choice of study and trial, then the page.

The pages lie in `views/`: beside a folder `pages/` Streamlit would run them without this script.
"""

from __future__ import annotations

import streamlit as st

from dashboard import chosen, kept, style, zoom
from dashboard.errors import errors_shown

st.set_page_config(page_title="mixer-search", layout="wide")
style.apply()
PAGES = [
    st.Page("views/study.py", title="Study", default=True),
    st.Page("views/front.py", title="Front", url_path="front"),
    st.Page("views/parameters.py", title="Parameters", url_path="parameters"),
    st.Page("views/trials.py", title="Trials", url_path="trials"),
    st.Page("views/trial.py", title="Trial", url_path="trial"),
    st.Page("views/progress.py", title="Progress", url_path="progress"),
    st.Page("views/table.py", title="Table", url_path="table"),
    st.Page("views/compare.py", title="Compare", url_path="compare"),
]
page = st.navigation(PAGES, position="hidden")  # its own links would forget the study
links = st.sidebar.container(gap="xxsmall")
with errors_shown():
    kept.begin(page)
    try:
        chosen.choose()
    finally:
        with links:
            kept.draw_links(PAGES)
    with st.sidebar:
        zoom.watch()
    page.run()
