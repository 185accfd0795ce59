"""Study: what was asked, how far it is, what it took, what comes next."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st
from streamlit.column_config import TextColumn

from dashboard import chosen, reading
from dashboard.controls import chart
from dashboard.notes import notes_text
from dashboard.report import report_button
from dashboard.theme import palette
from runs.asked import data_facts, recipe_facts, search_facts, searched_ranges, start_facts
from runs.confirmed_words import to_publish
from runs.next_steps import next_steps
from runs.pace import confirmation_pace, pace_of
from runs.plot.figures.spent import spent_figure
from runs.record import Origin
from runs.shown import moment, two_columns
from runs.shown_study import ranges_table, rates_table
from runs.snapshot import Snapshot
from runs.spent import family_shares, spent_by_family, where_facts
from runs.study_kind import kind_sentence, result_lines
from runs.test_readings import readings_line
from space.families import find_family
from space.quantities import counted

_FACTS_PIXELS = 448
"""Width of a table of facts: two stand side by side in windows of 1,280 pixels and more."""
_MOST_READINGS = 10
"""Of the test split that are shown, the newest; all are counted."""


def page() -> None:
    snapshot = chosen.now().snapshot
    study = snapshot.study
    st.header("Study")
    st.text(study.name)
    _purpose(snapshot)
    _status(snapshot)
    _confirmed(snapshot)
    notes_text(snapshot.notes)
    st.subheader("Next")
    _next(snapshot)
    report_button(study.name)
    st.subheader("What was asked")
    with st.container(horizontal=True):
        with st.container(width=_FACTS_PIXELS):
            _facts("Data", data_facts(study, snapshot.trials))
            if study.fine_tunes is not None:
                _facts("Start", start_facts(study))
            elif kind_sentence(snapshot) is None:
                _facts("Search", search_facts(study, snapshot.trials))
        with st.container(width=_FACTS_PIXELS):
            _facts("Recipe", recipe_facts(study))
            _facts("Where", where_facts(snapshot.trials))
    if kind_sentence(snapshot) is None:
        _space(snapshot)
    _rates(snapshot)
    st.subheader("Compute a family")
    _spent(snapshot)
    st.subheader("Readings of the test split")
    _readings(snapshot)


def _purpose(snapshot: Snapshot) -> None:
    """What sets this study apart from a search, where something does, and what came out."""
    if (kind := kind_sentence(snapshot)) is not None:
        st.text(kind)
    if lines := result_lines(snapshot):
        with st.container(border=True):
            st.text("\n".join(lines))


def _status(snapshot: Snapshot) -> None:
    """How far it is, and who runs it."""
    search, record = pace_of(snapshot), reading.confirmation(snapshot)
    seeds = None if record is None else confirmation_pace(record, snapshot)
    lines = {"search": f"{search.sentence}."}
    if seeds is not None:
        lines["seeds"] = f"Confirmation: {seeds.sentence}."
    if snapshot.is_run:
        name, pace = "search", search
        trains_seeds = any(t.origin is Origin.CONFIRMATION for t in snapshot.running)
        if seeds is not None and (trains_seeds or seeds.seconds_left is not None):
            name, pace = "seeds", seeds
        if pace.share is not None:
            st.progress(pace.share, text=lines.pop(name))
        lines["who"] = f"Run by {snapshot.holder}."
    elif snapshot.running:
        lines["who"] = (
            "No process runs it now: it was interrupted, and its command goes on with it."
        )
    st.text("\n".join(lines.values()))


def _confirmed(snapshot: Snapshot) -> None:
    """What fresh seeds say, in full on Front."""
    found = reading.confirmed(snapshot)
    if found is not None and (said := to_publish(found)) is not None:
        with st.container(border=True):
            st.text(said)
            st.caption(
                "By fresh seeds; Front has the other budgets and the figures, under Confirmed."
            )


def _next(snapshot: Snapshot) -> None:
    confirming = reading.confirmation(snapshot)
    is_confirmed = confirming is not None and confirmation_pace(confirming, snapshot).is_complete
    if snapshot.is_run:
        st.text("It is running; what comes next waits until it has ended.")
    steps = next_steps(snapshot, reading.own_storage(), is_confirmed=is_confirmed)
    for step in steps:
        st.caption(step.purpose)
        st.code(step.command, language="bash", wrap_lines=True)
    if not steps and not snapshot.is_run:
        st.text("Nothing before a training has ended well; the command that began it goes on.")
    elif steps and snapshot.study.spec.get("dataset") != "digits":
        st.caption("Add --data-dir DIR where the images are not in TFDS's own folder.")


def _facts(title: str, facts: Mapping[str, str]) -> None:
    if not facts:
        return
    st.markdown(f"**{title}**")
    table = two_columns(facts, title)
    columns = {title: TextColumn(width=130), "Value": TextColumn(width="large")}
    st.dataframe(table, hide_index=True, height="content", column_config=columns)


def _space(snapshot: Snapshot) -> None:
    ranges = searched_ranges(snapshot.study, snapshot.trials)
    if not ranges:
        return
    st.markdown("**Space**")
    st.dataframe(ranges_table(ranges), hide_index=True, height="content")
    narrowed = sum(one.is_narrowed for one in ranges)
    st.caption(
        f"{counted(narrowed, 'range')} narrowed: values that fit the images were left out."
        if narrowed
        else "No range was narrowed: all values that fit the images and the ceiling."
    )


def _rates(snapshot: Snapshot) -> None:
    """The learning rates tried before the search, where they were."""
    tried = reading.rates(snapshot)
    chosen_rates = snapshot.study.spec.get("learning_rates") or {}
    if tried:
        st.markdown("**Learning rates**")
        st.dataframe(
            rates_table(tried, chosen_rates), hide_index=True, height="content", width="content"
        )
        epochs = counted(tried[0].epochs, "epoch")
        trials = counted(sum(len(one.trials) for one in tried), "training")
        st.caption(
            f"Mean validation accuracy (%) of a few networks of each family after {epochs}; the "
            f"most accurate rate is the family's. {trials.capitalize()}, none of them in the front."
        )


def _spent(snapshot: Snapshot) -> None:
    spent = spent_by_family(snapshot.trials)
    if not spent:
        st.text("No trial has been timed yet.")
        return
    chart(spent_figure(spent, palette=palette()), key="study_spent")
    shares = family_shares(spent)
    said = ", ".join(f"{find_family(name).label} {100 * s:.0f} %" for name, s in shares.items())
    split = f" Of the search itself: {said}." if len(shares) > 1 else ""
    others = " Trainings that tried learning rates are not counted." if _has_rates(snapshot) else ""
    st.caption(f"Training FLOPs: 3 × FLOPs × images seen, by what they were for.{split}{others}")


def _has_rates(snapshot: Snapshot) -> bool:
    return bool(snapshot.study.spec.get("rate_studies"))


def _readings(snapshot: Snapshot) -> None:
    if not snapshot.readings:
        st.text("The test split was not read for this study, as far as the database knows.")
        return
    for one in reversed(snapshot.readings[-_MOST_READINGS:]):
        whose = one.study or "no study"
        trial = "" if one.trial is None else f", trial {one.trial}"
        st.text(f"{moment(one.read_at)}: {one.purpose}, for {whose}{trial}")
        st.code(one.command, language=None, wrap_lines=True)
    line = readings_line(snapshot.readings)
    st.caption(
        f"{line.capitalize()}, for all studies of the database that share it, the latest first. "
        "What is chosen after a reading is chosen on test too."
    )


page()
