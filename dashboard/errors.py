"""What a page shows where it cannot show what was asked."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from space.errors import MixerSearchError

_log = logging.getLogger("dashboard")


@contextmanager
def errors_shown() -> Iterator[None]:
    """A user's error becomes its sentence; a bug, a general one, its traceback in the terminal."""
    try:
        yield
    except MixerSearchError as error:
        st.error("There is nothing to show here.")
        st.text(str(error))  # not in the box: it may name what strangers named, and reads Markdown
    except Exception:  # the page's last resort; Streamlit's own control flow is no Exception
        _log.exception("a page failed")
        st.error("This page failed. The reason is in the terminal where the dashboard was started.")
