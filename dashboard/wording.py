"""Numbers and strangers' text as a person reads them. No Streamlit, no Plotly."""

from __future__ import annotations

import html


def percent(accuracy: float | None) -> str:
    """An accuracy in [0, 1] as `91.24 %`; a dash where there is none."""
    return "–" if accuracy is None else f"{100 * accuracy:.2f} %"


def counted(number: int, noun: str) -> str:
    """`1 trial`, `2,000 trials`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def for_plotly(text: str) -> str:
    """Text that Plotly shows as it is: it would obey `<b>` and `<a href>`."""
    return html.escape(text)
