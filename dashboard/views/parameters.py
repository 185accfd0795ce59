"""Parameters: which hyperparameters matter for accuracy, and what the FLOPs are spent on."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import chosen, reading
from dashboard.brush import brush
from dashboard.controls import chart, trials_chart, trials_dataframe
from dashboard.kept import choice
from dashboard.style import row
from dashboard.theme import palette
from runs import winners
from runs.confirmation.intervals import Interval
from runs.importance import FEWEST, MOST, Importance, importance
from runs.next_steps import search_until
from runs.parameters import FamilyTrials, brushed, family_trials, parameters_table
from runs.plot.figures.cost_shares import cost_shares_figure, drawn_sentence
from runs.plot.figures.front import Series, front_figure
from runs.plot.figures.importance import importance_figure
from runs.plot.figures.parallel import MOST as MOST_LINES
from runs.plot.figures.parallel import parallel_figure
from runs.plot.figures.slices import MOST as MOST_POINTS
from runs.plot.figures.slices import slice_figure
from runs.points import points_of
from runs.record import TrialRecord
from runs.snapshot import Snapshot
from runs.wording import percent
from space.families import FAMILIES, find_family

_COLUMNS = 3
"""Slices side by side; on a narrow page they stack."""
_MOST_ROWS = 500
"""Of the table: what is further down was not accurate, and all rows are on Table."""


def page() -> None:
    snapshot = chosen.now().snapshot
    st.header("Which parameters matter")
    if snapshot.study.fine_tunes is not None:
        st.info("It searches nothing: its trainings are all of one configuration.")
        return
    trained = [*snapshot.found, *snapshot.given]
    families = [name for name in FAMILIES if any(t.family == name for t in trained)]
    if not families:
        st.info("No configuration has finished yet. What matters will appear by itself.")
        return
    family = _family(families)
    found = family_trials(snapshot, family)
    label = find_family(family).label
    finished = f"{len(found.trials):,} finished {label}{'' if len(found.trials) == 1 else 's'}"
    if not found.parameters:
        one = "one configuration alone does" if len(found.trials) == 1 else "they do"
        st.info(f"The study has {finished}: {one} not differ, so there is nothing to compare.")
        return
    st.caption(
        f"From {finished}, baselines too, of several seeds the mean. What was stopped early is not "
        "among them: its accuracies are those of less training."
    )
    _importance(snapshot, found)
    _slices(found)
    _parallel(snapshot, found)
    _shares(snapshot, found)


def _family(families: list[str]) -> str:
    family = st.segmented_control(
        "Family",
        families,
        format_func=lambda name: find_family(name).label,
        key=choice("parameters_family", families, families[0]),
        required=True,
    )
    return str(family)


def _importance(snapshot: Snapshot, found: FamilyTrials) -> None:
    label = found.cost.label
    st.subheader(f"Importance, at equal {label} and on the whole")
    if len(found.trials) < FEWEST:
        st.info(
            f"Not known yet: it takes {FEWEST} finished configurations of a family, and the study "
            f"has {len(found.trials):,}. With fewer, chance would speak."
        )
        more = search_until(snapshot, found.family, FEWEST, reading.own_storage())
        if more is not None:
            st.caption("About as many trials as that takes, those there are counted:")
            st.code(more, language="bash", wrap_lines=True)
        return
    with st.spinner("Growing forests…", show_time=True):
        of = tuple((trial.number, trial.accuracy) for trial in found.trials)
        study = snapshot.study
        known = _known_importance((study.name, study.created_at, found.family, of), found)
    if known is None:
        return
    chart(
        importance_figure(known, found.cost, palette=palette()), key=f"importance of {found.family}"
    )
    sampled = ""
    if known.num_configurations < len(found.trials):
        sampled = f" From {MOST:,} of the configurations, drawn at random."
    st.caption(
        f"How much worse a forest predicts unseen trials without a parameter's values. At equal "
        f"{label}: of what is left of accuracy after its trend with {label}; a parameter that only "
        "makes networks larger has none there. Bars: 95 %; one that reaches 0 may be "
        f"chance.{sampled}"
    )
    st.caption(
        f"Of the variance of unseen accuracies all parameters together predict "
        f"{_share(known.plain.explained)}; of what is left at equal {label}, "
        f"{_share(known.at_equal_cost.explained)}."
    )


def _share(explained: Interval) -> str:
    """`44 % (0 to 97)`; what is predicted worse than by the mean alone is not predicted."""
    if explained.value <= 0:
        return "nothing"
    low, high = (100 * min(1.0, max(0.0, end)) for end in (explained.low, explained.high))
    return f"{100 * explained.value:.0f} % ({low:.0f} to {high:.0f})"


@st.cache_data(max_entries=32, show_spinner=False)
def _known_importance(key: tuple[object, ...], _found: FamilyTrials) -> Importance | None:
    """Computed once for all browser tabs, until another configuration has ended."""
    return importance(_found)


def _slices(found: FamilyTrials) -> None:
    st.subheader("Along each parameter")
    words = {"equal": f"At equal {found.cost.label}", "plain": "As it is"}
    shown = st.segmented_control(
        "Accuracy",
        list(words),
        format_func=words.__getitem__,
        key=choice("parameters_slice", words, "equal"),
        required=True,
    )
    is_equal = shown == "equal"
    columns = row("slices", min(_COLUMNS, len(found.parameters)))
    for place, parameter in enumerate(found.parameters):
        figure = slice_figure(found, parameter, equal_cost=is_equal, palette=palette())
        with columns[place % len(columns)]:
            trials_chart(figure, key=f"{shown} slice of {found.family} {parameter.name}")
    trend = "points above or below the accuracy that is usual for its cost"
    sampled = ""
    if len(found.trials) > MOST_POINTS:
        sampled = f" Drawn are {MOST_POINTS:,} of the points; the means are of all."
    st.caption(
        f"A point a configuration: {trend if is_equal else 'its accuracy'}. The line is the mean "
        "of each value, or of neighbouring ones; the band is its 95 % interval. "
        f"Click a point to open the trial.{sampled}"
    )


def _parallel(snapshot: Snapshot, found: FamilyTrials) -> None:
    st.subheader("All parameters at once")
    filters = brush(found)
    kept = brushed(found, **filters)
    figure = parallel_figure(found, palette=palette(), **filters)
    chart(figure, key=f"parallel {found.family}")
    sampled = ""
    if len(found.trials) > MOST_LINES:
        sampled = f" Drawn are {MOST_LINES:,} of the lines."
    st.caption(
        f"A line a configuration, coloured by its accuracy; the choices above leave "
        f"{len(kept):,} of {len(found.trials):,}, here, in the front and in the table alike."
        f"{sampled}"
    )
    left, right = row("shares", 2)
    with left:
        _small_front(snapshot, found, kept)
    with right:
        if not kept:
            st.text("None passes all choices.")
            return
        table = parameters_table(kept, found.parameters, found.cost).head(_MOST_ROWS)
        height = min(400, 37 + 35 * len(table))
        trials_dataframe(table, "parameters table", height=height)
        most = f"The {_MOST_ROWS} most accurate" if len(kept) > _MOST_ROWS else "Those"
        st.caption(f"{most} that the choices leave. Click a row to open the trial.")


def _small_front(snapshot: Snapshot, found: FamilyTrials, kept: Sequence[TrialRecord]) -> None:
    colors, several = palette(), snapshot.several
    numbers = {trial.number for trial in kept}
    rest = [trial for trial in found.trials if trial.number not in numbers]
    series = [
        Series(
            name=find_family(found.family).label,
            color=colors.family(found.family),
            points=points_of(kept, found.cost, several),
        )
    ]
    if rest:
        points = points_of(rest, found.cost)
        series.insert(0, Series(name="Others", color=colors.muted, points=points, has_front=False))
    figure = front_figure([one for one in series if one.points.trials], palette=colors)
    figure.update_layout(height=400)
    trials_chart(figure, key=f"small front of {found.family}")
    best = max((t.accuracy or 0.0 for t in kept), default=None)
    st.caption(
        f"The front of what the choices leave; the best has {percent(best)}. Click a point to open "
        "the trial."
    )


def _shares(snapshot: Snapshot, found: FamilyTrials) -> None:
    label = find_family(found.family).label
    st.subheader("What the FLOPs are spent on")
    trials = winners.front(found.trials, snapshot.study.min_accuracy, found.cost)
    if not trials:
        st.text(f"No {label} is on the front.")
        return
    trials_chart(cost_shares_figure(trials, palette=palette()), key=f"shares of {found.family}")
    st.caption(
        f"The front of the {label}s, cheapest first, by the share of a network's FLOPs that each "
        f"kind of layer takes; by arithmetic, not measured.{drawn_sentence(trials)} "
        "Click a bar to open the trial."
    )


page()
