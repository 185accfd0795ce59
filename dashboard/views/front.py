"""Front: accuracy against what it costs, what was searched beside what it is compared with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard import chosen, confirmed_view, kept, reading
from dashboard.bounds import cost_axis
from dashboard.controls import (
    letters_help,
    open_button,
    preset_button,
    trials_chart,
    trials_dataframe,
)
from dashboard.theme import palette
from runs.confirmed_best import best_confirmed
from runs.convergence import Unconverged, sentence, train_losses, unconverged
from runs.front_words import front_caption
from runs.noise import places_sentence
from runs.plot.figures.front import Series, front_figure
from runs.plot.figures.series import searched_series, stopped_series
from runs.points import limits_between, points_of
from runs.record import State, TrialRecord
from runs.shown import equal_cost_table, front_table
from runs.side_by_side import MOST
from runs.snapshot import Snapshot
from runs.thinning import thinned_sentence
from runs.wording import luckiest, mean_of_seeds, percent, state_word, with_arm
from space.costs import FLOPS, PARAMS, Cost
from space.families import find_family, labels
from space.quantities import counted, format_count


def page() -> None:
    here = chosen.now()
    snapshot = here.snapshot
    cost = snapshot.study.cost
    st.header("Accuracy against cost")
    if snapshot.study.fine_tunes is not None:
        st.info(
            "It searches nothing, so there is no front: its trainings, all of one configuration, "
            "stand on Table, and each with its curves on Trial."
        )
        return
    if confirmed_view.shown(snapshot):
        return
    _metrics(snapshot)
    if not (snapshot.found or snapshot.given):
        _nothing_yet(snapshot)
        return
    axis = cost_axis("front", cost, [*snapshot.found, *snapshot.given])
    marks = _unconverged(snapshot)
    series = searched_series(snapshot, axis, marks)
    if not any(len(one.points.x) for one in series):
        st.info(f"{axis.label} is known of no finished trial.")
        return
    number = None if here.trial is None else snapshot.seeds_of(here.trial)[0].number
    stopped = stopped_series(snapshot, axis)
    figure = front_figure([*series, *stopped], chosen=number, palette=palette())
    trials_chart(figure, key=f"front of {axis.label}", several=True)
    said = [front_caption(snapshot, has_crosses=bool(stopped))]
    if thinned := thinned_sentence([one.points for one in [*series, *stopped]]):
        said.append(f"{thinned}.")
    said.append("Click a point, or a row below, to open the trial.")
    said.append(f"A box or a lasso around two to {MOST} points puts their trials side by side.")
    st.caption(" ".join(said))
    st.fragment(_best_within)(snapshot, series)  # the slider moves, the figure above stays
    _table(snapshot, axis, marks)
    _equal_cost(snapshot, marks)


def _unconverged(snapshot: Snapshot) -> dict[int, Unconverged]:
    """Of the front and of what was given, those whose training had not converged."""
    shown = snapshot.shown
    curves = reading.curves(snapshot.study.name, [trial.number for trial in shown])
    losses = train_losses(epoch for curve in curves for epoch in curve)
    return unconverged(snapshot.study, shown, losses, snapshot.noise)


def _nothing_yet(snapshot: Snapshot) -> None:
    """Why there is no front: nothing has ended yet, or what ended has failed, and of what."""
    failed = [trial for trial in snapshot.searched if trial.state is State.FAILED]
    if not failed:
        running = counted(snapshot.counts[State.RUNNING], "trial")
        word = state_word(State.RUNNING, is_run=snapshot.is_run)
        st.info(
            f"No configuration has finished yet, {running} {word}. The front will appear by itself."
        )
        return
    number = counted(len(snapshot.searched), "trial")
    st.warning(f"No configuration has finished: {len(failed):,} of {number} failed.")
    [(reason, times)] = Counter(trial.error for trial in failed).most_common(1)
    st.text(f"The commonest reason, of {counted(times, 'trial')}:")
    st.code(reason or "not known", language=None, wrap_lines=True)
    open_button(next(trial for trial in failed if trial.error == reason), key="open failed")
    st.caption("Progress lists all that failed and why, under Refused, failed and stopped early.")


def _metrics(snapshot: Snapshot) -> None:
    unit = snapshot.study.cost.unit
    best = max((t.accuracy or 0.0 for t in snapshot.found), default=None)
    interrupted = snapshot.counts[State.RUNNING] and not snapshot.is_run
    under_way = "Interrupted" if interrupted else "Running"
    confirmed = reading.confirmed(snapshot)
    fresh = None if confirmed is None else best_confirmed(confirmed)
    values = {
        "Best accuracy": percent(best),
        **({} if fresh is None else {"Best, fresh seeds": percent(fresh.interval.value)}),
        "On the front": f"{len(snapshot.front):,}",
        "Hypervolume": f"{snapshot.hypervolume:.3f}",
        "Finished": f"{snapshot.counts[State.COMPLETE]:,}",
        under_way: f"{snapshot.counts[State.RUNNING]:,}",
        "Refused": f"{snapshot.counts[State.REFUSED]:,}",
        "Failed": f"{snapshot.counts[State.FAILED]:,}",
        "Stopped early": f"{snapshot.counts[State.PRUNED]:,}",
    }
    searched = labels(snapshot.study.families)
    meanings = {
        "Best accuracy": f"Of the searched {searched}, on the validation split: "
        f"{'none yet' if best is None else luckiest(best, len(snapshot.found))}.",
        "Best, fresh seeds": "" if fresh is None else f"Trial {fresh.trial}: {fresh.said}.",
        "On the front": f"Searched {searched} that no other beats in both accuracy and {unit}.",
        "Hypervolume": f"Area the front dominates, in accuracy × decades of {unit}.",
        "Finished": "Trials, baselines included; each seed of a configuration is one.",
        "Interrupted": "Trials that had not ended when their command did; it goes on with them.",
        "Refused": "Never started: over the budget, or tried before.",
        "Stopped early": f"Trials too far behind others of no more {unit}, and not trained on.",
    }
    with st.container(horizontal=True, gap="medium"):
        for label, value in values.items():
            st.metric(label, value, help=meanings.get(label), width="content")


def _limit(snapshot: Snapshot, series: list[Series], axis: Cost) -> float:
    """The slider: the dearest cost allowed (the least speed, where more is better).

    Until it is moved it allows everything, and so what comes later too.
    """
    values = [x for one in series for x in one.points.x]
    options = limits_between(min(values), max(values))
    more_is_better = axis.direction == "maximize"
    end = options[0] if more_is_better else options[-1]
    limit: float = st.select_slider(
        f"Best {'at no fewer than' if more_is_better else 'within'} so many {axis.unit}",
        options,
        format_func=format_count,
        key=kept.choice(f"front_limit_{axis.name}", options, end),
    )
    return limit


def _best_within(snapshot: Snapshot, series: list[Series]) -> None:
    """The slider, and the most accurate of each front within it: what the front's stair has
    there."""
    axis = series[0].points.axis
    with st.container(horizontal=True, gap="medium"):
        with st.container(width=250):
            limit = _limit(snapshot, series, axis)
        _cards(snapshot, series, axis, limit)


def _cards(snapshot: Snapshot, series: list[Series], axis: Cost, limit: float) -> None:
    costs = dict.fromkeys([FLOPS, PARAMS, snapshot.study.cost])
    bound = "at least" if axis.direction == "maximize" else "at most"
    for one in series:
        if not one.has_front:
            continue
        with st.container(border=True, width=310):
            st.markdown(
                f"**Best {one.name}** of {bound} {axis.shortly(limit)}",
                help=letters_help(snapshot),
            )
            best = one.points.best_within(limit)
            if best is None:
                st.text("None yet.")
                continue
            trial = one.points.trials[best]
            accuracies = one.points.seeds[best]
            mean = f"   ({mean_of_seeds(accuracies)})" if len(accuracies) > 1 else ""
            st.text(
                f"{with_arm(trial.accuracy, snapshot.noise.half_width(trial))}   "
                f"{trial.label}{mean}\n"
                f"{'   '.join(cost.shortly(trial.cost(cost) or 0) for cost in costs)}"
            )
            with st.container(horizontal=True):
                open_button(trial, key=f"open best {one.name}")
                preset_button(snapshot, trial, key=f"preset of best {one.name}")


def _equal_cost(snapshot: Snapshot, marks: Mapping[int, Unconverged]) -> None:
    """The families against each other, each by the best it has within a budget."""
    cost, noise = snapshot.study.cost, snapshot.noise
    comparisons = [found for found in snapshot.comparisons if found]
    if not comparisons:
        return
    st.subheader(f"At equal {cost.label}")
    bars = ""
    if noise.num_images is not None:
        bars = (
            f"± and the interval of the difference, in points, are 95 %, {noise.covers}; the "
            "intervals hold together. "
        )
    st.caption(
        f"The most accurate of each family within a budget. {bars}Both sides were chosen for these "
        "accuracies: `python -m search.confirm` trains them with fresh seeds."
    )
    for found in comparisons:
        st.dataframe(equal_cost_table(found, cost, marks), hide_index=True, height="content")


def _table(snapshot: Snapshot, axis: Cost, marks: Mapping[int, Unconverged]) -> None:
    searched, least = snapshot.study.families, snapshot.study.min_accuracy
    points, cost = points_of(snapshot.found, axis, snapshot.several, least), snapshot.study.cost
    st.subheader(f"{labels(searched)} on the front")
    trials = [points.trials[i] for i in points.front]
    if not trials:
        done = f"reached {percent(least)}" if points.trials and least else "finished"
        one = find_family(searched[0]).label if len(searched) == 1 else "configuration"
        st.text(f"No searched {one} has {done} yet.")
        return
    unsure = snapshot.undecided if axis == cost else None
    if unsure is not None:
        st.caption(f"{places_sentence(len(trials), len(unsure), snapshot.noise)}.")
    if (line := sentence(marks)) is not None:
        st.caption(f"{line}.")
    table = front_table(
        trials,
        snapshot.noise,
        cost,
        several=snapshot.several,
        name_families=len(searched) > 1,
        remarks=_remarks(trials, unsure, marks),
    )
    trials_dataframe(table, "front table")


def _remarks(
    trials: Sequence[TrialRecord], unsure: set[int] | None, marks: Mapping[int, Unconverged]
) -> dict[int, str]:
    """What is to be said of members of the front, by number; nothing where all is well."""
    words = {
        t.number: [
            *(["undecided"] if t.number in (unsure or ()) else []),
            *([marks[t.number]] if t.number in marks else []),
        ]
        for t in trials
    }
    return {number: ", ".join(said) for number, said in words.items() if said}


page()
