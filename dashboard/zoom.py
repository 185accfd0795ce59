"""Zoom, pan and hidden lines of charts, kept while their data change.

Streamlit draws a chart with other data as a new one, and keeps no record of how the old one was
zoomed (`uirevision` has nothing to hold on to). So a few lines of our own in the browser note it,
and the next figure of that study and chart begins with it. Double click, or "Autoscale", gives it
up. To note it draws nothing anew.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import plotly.graph_objects as go
import streamlit as st
from streamlit.components.v2 import component

from dashboard import chosen

CONFIG = {
    "displaylogo": False,
    "doubleClick": "autosize",  # what a chart begins with may be zoomed
    "modeBarButtonsToRemove": ["resetScale2d"],
}
"""Of every chart."""

_JS = """
const watched = new WeakSet();
let report = () => {};

function tell(chart, view) {
  const box = chart.closest('[class*="st-key-"]');
  const key = box && [...box.classList].find((name) => name.startsWith("st-key-"));
  if (key) report({ key, ranges: {}, hidden: null, ...view, at: Date.now() });
}

function watch() {
  for (const chart of document.querySelectorAll(".js-plotly-plot")) {
    if (watched.has(chart) || !chart.on) continue;
    watched.add(chart);
    chart.on("plotly_relayout", (change) => {
      const ranges = {};
      for (const name of Object.keys(change)) {
        const [axis, what] = name.split(/[.[]/);
        if (!/^[xy]axis[0-9]*$/.test(axis) || !["range", "autorange"].includes(what)) continue;
        const { autorange, range } = chart.layout[axis];
        ranges[axis] = autorange === true ? null : range;
      }
      if (Object.keys(ranges).length) tell(chart, { ranges });
    });
    chart.on("plotly_restyle", ([change]) => {
      const hidden = chart.data.filter((trace) => trace.visible === "legendonly");
      if ("visible" in change) tell(chart, { hidden: hidden.map((trace) => trace.name) });
    });
  }
}

export default function ({ setStateValue }) {
  report = (view) => setStateValue("view", view);
  const timer = setInterval(watch, 200);
  return () => clearInterval(timer);
}
"""
_AXIS = re.compile("[xy]axis[0-9]*").fullmatch
_watcher = component("mixer_search_zoom", js=_JS)


@dataclass
class View:
    """How a chart was left."""

    ranges: dict[str, list[Any]] = field(default_factory=dict)
    """Of the zoomed axes, by their names in Plotly's layout, as Plotly writes them."""
    hidden: list[str] = field(default_factory=list)
    """Names of traces that were switched off in the legend."""


@st.fragment
def watch() -> None:
    """Notes from then on, on every page, how charts are zoomed."""
    _watcher(key="zoom", on_view_change=_note)


def restore(figure: go.Figure, study: str, key: str) -> None:
    """Makes the figure begin as the chart of that key was left."""
    views: dict[tuple[str, str], View] = st.session_state.get("views", {})
    view = views.get((study, _class_of(key)))
    if view is None:
        return
    figure.update_layout({axis: {"range": ends} for axis, ends in view.ranges.items()})
    figure.for_each_trace(
        lambda trace: trace.update(visible="legendonly") if trace.name in view.hidden else None
    )


def _note() -> None:
    """Takes in what the browser reports; what makes no sense is ignored."""
    told = st.session_state["zoom"]["view"]
    try:
        ranges = {axis: _ends(ends) for axis, ends in told["ranges"].items() if _AXIS(axis)}
        hidden = None if told["hidden"] is None else [str(name) for name in told["hidden"]]
        place = chosen.now().snapshot.study.name, str(told["key"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return
    view = st.session_state.setdefault("views", {}).setdefault(place, View())
    known = view.ranges | ranges
    view.ranges = {axis: ends for axis, ends in known.items() if ends is not None}
    view.hidden = view.hidden if hidden is None else hidden


def _ends(ends: Any) -> list[float | str] | None:
    """Of an axis, as Plotly writes them: a number, its logarithm, or a date. None: all of it."""
    if ends is None:
        return None
    low, high = (end if isinstance(end, str) else float(end) for end in ends)
    return [low, high]


def _class_of(key: str) -> str:
    """The class that Streamlit gives an element of that key."""
    return "st-key-" + re.sub("[^a-zA-Z0-9_-]", "-", key.strip())
