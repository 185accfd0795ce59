"""What a visitor has set stays set: in the link, in the browser tab, and behind the Back button.

A page keeps the value of a widget by one of the functions here, each of which gives the widget's
key and must be called where the widget is drawn:

    axis = st.segmented_control("Cost", names, key=choice("front_axis", names, own), required=True)
    states = st.multiselect("State", list(State), key=choices("table_states", list(State)))
    least = st.number_input("At least", value=None, key=number("table_accuracy", 0.0, 100.0))
    text = st.text_input("Text", key=text("table_text"))
    is_plain = st.toggle("Plain", key=flag("parameters_plain", default=False))

The function takes the default, the widget does not. What differs from it stands in the link under
the key (`?table_accuracy=60`), so a key starts with the page's name and stays what it is: people
send each other links. A choice is one step for the Back button. What a link asks for and the page
does not offer is ignored, in one sentence.

Links in the sidebar lead to every page as it was left.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import streamlit as st
from streamlit.navigation.page import Page
from streamlit.runtime.scriptrunner import get_script_run_ctx

T = TypeVar("T")

_SHARED = ("study", "trial")
"""Parameters that the links of all pages have."""


def choice(key: str, options: Iterable[T], default: T) -> str:
    """Of a widget that has one of the options."""
    offered = {_text(option): option for option in options}

    def read(texts: list[str]) -> T:
        return offered[texts[-1]]

    return _keep(key, default, read, lambda value: [_text(value)])


def choices(
    key: str, options: Iterable[T], default: Sequence[T] = (), *, most: float = math.inf
) -> str:
    """Of a widget that has any of the options, but no more than so many."""
    offered = {_text(option): option for option in options}

    def read(texts: list[str]) -> list[T]:
        if len(texts) > most or len(set(texts)) < len(texts):
            raise ValueError
        return [offered[text] for text in texts if text]

    def write(values: Sequence[T]) -> list[str]:
        return [_text(value) for value in values] or [""]  # nothing at all would mean the default

    return _keep(key, list(default), read, write)


def span(key: str, options: Sequence[T]) -> str:
    """Of a slider with two ends, from the first of the options to the last unless moved."""
    offered = {_text(option): option for option in options}

    def read(texts: list[str]) -> tuple[T, T]:
        low, high = (offered[text] for text in texts)
        if options.index(low) > options.index(high):
            raise ValueError
        return low, high

    ends = options[0], options[-1]
    return _keep(key, ends, read, lambda span: [_text(end) for end in span])


def number(
    key: str, low: float = -math.inf, high: float = math.inf, default: float | None = None
) -> str:
    """Of a number box that may be empty."""

    def read(texts: list[str]) -> float | None:
        value = float(texts[-1]) if texts[-1] else None
        if value is not None and not (math.isfinite(value) and low <= value <= high):
            raise ValueError
        return value

    return _keep(key, default, read, lambda value: ["" if value is None else _text(value)])


def text(key: str) -> str:
    """Of a text box; empty unless something was typed."""
    return _keep(key, "", lambda texts: texts[-1], lambda value: [value])


def flag(key: str, *, default: bool) -> str:
    """Of a toggle or a checkbox."""
    words = {"yes": True, "no": False}
    return _keep(
        key, default, lambda texts: words[texts[-1]], lambda value: ["yes" if value else "no"]
    )


def forget(key: str) -> None:
    """Gives the widget of that key its default again, on the page that draws it next."""
    st.session_state.setdefault("kept", {}).pop(key, None)
    st.session_state.pop(key, None)
    for link in st.session_state.get("links", {}).values():
        link.pop(key, None)
    write_link({key: []})


def write_link(parameters: dict[str, list[str]]) -> None:
    """Puts the parameters into the link, all at once; those without a value go.

    Every write is a step for the Back button, so there is none where nothing changes.
    """
    link = {name: st.query_params.get_all(name) for name in st.query_params}
    wanted = {name: texts for name, texts in (link | parameters).items() if texts}
    if wanted != link:
        st.query_params.from_dict(wanted)


def begin(page: Page) -> None:
    """Finds out at the beginning of a run whether a link was opened, followed or gone back to.

    If so, what it says holds. Else what the widgets say does: while choices follow each other
    quickly, the browser still sends the link of the choice before.
    """
    state, context = st.session_state, get_script_run_ctx()
    went_back = context is not None and context.is_history_navigation
    if went_back or state.get("page") != page.url_path:
        state["page"] = page.url_path
        state["read from link"] = set()


def left(page: str) -> dict[str, list[str]]:
    """What the link of the page with that path said of widgets when it was left."""
    links: dict[str, dict[str, list[str]]] = st.session_state.setdefault("links", {})
    return links.setdefault(page, {})


def draw_links(pages: Iterable[Page]) -> None:
    """A link to every page, as it was left, of the study and trial that are looked at."""
    shared = {name: st.query_params.get_all(name) for name in _SHARED}
    for page in pages:
        st.page_link(page, query_params=shared | left(page.url_path))


def _keep(
    key: str,
    default: T,
    read: Callable[[list[str]], T],
    write: Callable[[T], list[str]],
) -> str:
    """Sets the widget of that key to what the link says, or what was chosen, or the default."""
    state = st.session_state
    kept: dict[str, tuple[T, T]] = state.setdefault("kept", {})  # values, and defaults then
    was, was_default = kept.get(key, (default, default))
    value = default if was == was_default else was
    if key not in state["read from link"]:
        state["read from link"].add(key)
        value = _from_link(key, default, read)
    elif key in state and state[key] != was:  # chosen just now
        value = state[key]
    try:
        value = read(write(value))
    except (KeyError, ValueError):  # of another study, which offers more
        value = default
    if key not in state or state[key] != value:  # else half a typed word would be lost
        state[key] = value
    kept[key] = value, default
    link = left(state["page"])
    link.pop(key, None)
    if value != default:
        link[key] = write(value)
    write_link({key: link.get(key, [])})
    return key


def _from_link(key: str, default: T, read: Callable[[list[str]], T]) -> T:
    texts = st.query_params.get_all(key)
    try:
        return read(texts) if texts else default
    except (KeyError, ValueError):
        st.toast(
            f"The link asks for a `{key}` that this page does not offer; the rest of it holds.",
            duration="long",
        )
        return default


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)
