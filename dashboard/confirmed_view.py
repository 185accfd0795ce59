"""The confirmed view of Front: what fresh seeds say, beside what the search saw."""

from __future__ import annotations

import streamlit as st
from streamlit.column_config import NumberColumn, TextColumn

from dashboard import chosen, kept, reading
from dashboard.controls import chart, trials_chart, trials_dataframe
from dashboard.theme import palette
from runs.confirmed import Confirmed
from runs.confirmed_words import (
    PUBLISH,
    by_families,
    confirmed_table,
    decisive_seeds,
    failed_lines,
    front_sentence,
    further_sentence,
    marks_sentence,
    optimism_sentence,
    split_sentence,
    to_publish,
    undecided_sentence,
)
from runs.next_steps import confirm_further
from runs.pace import Pace, confirmation_pace
from runs.plot.figures.confirmed import confirmed_figure, difference_figure, optimism_figure
from runs.side_by_side import MOST
from runs.snapshot import Snapshot

SEARCH, CONFIRMED = "Search", "Confirmed"

_MOST_PIXELS = 740
"""Of the table's height; beyond it scrolls."""

_COLUMNS = {
    "Trial": NumberColumn(width=52),
    "Front": TextColumn(width=84, help="Of its group: on from a support of 0.95, off to 0.05."),
    "Support": NumberColumn(
        format="%.2f",
        width=66,
        help="How sure its place is. Its accuracies are drawn anew 4,000 times, as other seeds and "
        "images could have given them: the share of draws in which it is on the front.",
    ),
    "To decide": TextColumn(
        "To decide",
        width=84,
        help="How many seeds would: of every configuration of its group, if the means stay.",
    ),
    "Accuracy": NumberColumn("Accuracy (%)", format="%.2f", help="Mean over fresh seeds."),
    "Group": TextColumn(width=90),
    "Seeds": NumberColumn(width=56, help="Fresh trainings."),
    "Optimism": NumberColumn(
        format="%+.2f",
        width=80,
        help="In points: what the search's one training had more than fresh seeds, on validation.",
    ),
}


def shown(snapshot: Snapshot) -> bool:
    """Whether the confirmed front is what is looked at; then it has been drawn.

    The choice is there once a confirmation has begun, and starts on Confirmed when one is complete.
    """
    record = reading.confirmation(snapshot)
    if record is None:
        return False
    found, pace = reading.confirmed(snapshot), confirmation_pace(record, snapshot)
    default = CONFIRMED if found is not None and pace.is_complete else SEARCH
    views = [SEARCH, CONFIRMED]
    key = kept.choice("front_view", views, default)
    view = st.segmented_control("View", views, required=True, key=key) or default
    if view == SEARCH:
        return False
    if not pace.is_complete:
        _progress(snapshot, pace)
    if found is None:
        st.info("No configuration has two trainings with fresh seeds yet.")
        return True
    _said(found)
    _fronts(found)
    _differences(found)
    _undecided(snapshot, found)
    _optimism(found)
    return True


def _progress(snapshot: Snapshot, pace: Pace) -> None:
    more = "" if snapshot.is_run else "; no process trains the others now"
    said = f"{pace.sentence}{more}. What follows is what is known so far."
    if pace.share is None:
        st.text(said)
    else:
        st.progress(pace.share, text=said)


def show_sentences(found: Confirmed) -> None:
    """The one to publish, then all of them, two families after another."""
    first = to_publish(found)
    if first is None:
        st.text("One family was confirmed: there is none to compare it with.")
        return
    with st.container(border=True):
        st.text(first)
        st.caption(PUBLISH)
    for families, lines in by_families(found).items():
        st.caption(f"{families}, at three budgets")
        st.text("\n".join(lines))


def _said(found: Confirmed) -> None:
    show_sentences(found)
    for line in failed_lines(found):
        st.warning("A configuration is not judged, since a mean over the others would flatter it:")
        st.text(line)


def _fronts(found: Confirmed) -> None:
    trial = chosen.now().trial
    number = None if trial is None else trial.number
    figure = confirmed_figure(found, chosen=number, palette=palette())
    trials_chart(figure, key="front_confirmed", several=True)
    st.caption(
        f"{split_sentence(found)}. {marks_sentence(found)}. Click a point to open the trial that "
        f"was repeated; a box or a lasso around two to {MOST} puts theirs side by side."
    )


def _differences(found: Confirmed) -> None:
    for i, difference in enumerate(found.comparisons):
        one, other = difference.families
        volume = difference.hypervolume
        st.markdown(f"**{one} against {other} at equal {found.study.cost.label}**")
        chart(
            difference_figure(found, difference, palette=palette()),
            key=f"front_difference_{i}",
        )
        st.caption(
            f"Accuracy of {one} less that of {other} at every budget; the band holds at all of "
            f"them together with {100 * found.level:g} %, so where it leaves out zero one is "
            f"better. In all {volume.value:+.3f} ({volume.low:+.3f} to {volume.high:+.3f}) "
            "accuracy × decades."
        )


def _undecided(snapshot: Snapshot, found: Confirmed) -> None:
    st.subheader("Who is on the front")
    st.caption(f"{front_sentence(found)}.")
    table = confirmed_table(found)
    height = min(_MOST_PIXELS, 38 + 35 * len(table))
    trials_dataframe(table, "front_confirmed_table", _COLUMNS, height=height)
    sentence, seeds = undecided_sentence(found), decisive_seeds(found)
    if sentence is not None:
        st.text(f"{sentence}.")
    if seeds is not None:
        study, storage = snapshot.study.name, reading.own_storage()
        command = confirm_further(study, storage, seeds=seeds, again=found.is_tested)
        st.code(command, language="bash", wrap_lines=True)
        anew = "The test split was read, so more seeds are another confirmation. "
        st.caption(f"{anew if found.is_tested else ''}{further_sentence(found, seeds)}.")


def _optimism(found: Confirmed) -> None:
    sentence = optimism_sentence(found)
    if sentence is None:
        return
    st.subheader("What the search owed to luck")
    chart(
        optimism_figure(found, palette=palette()),
        key="front_optimism",
    )
    st.caption(
        f"{sentence}. Open: the search's training, on whose accuracy it was chosen; filled: the "
        "mean over fresh seeds, on the same images."
    )
