"""Progress: what the search has gained for what it spent, and what runs now."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from streamlit.column_config import DatetimeColumn, NumberColumn

from dashboard import chosen, reading
from dashboard.controls import chart, trials_chart, trials_dataframe
from dashboard.errors import errors_shown
from dashboard.reasons import show_reasons
from dashboard.style import row
from dashboard.theme import palette
from dashboard.timeline import show_timeline
from runs.accounting import Account, account
from runs.hypervolume_lost import hypervolume_lost
from runs.plot.figures.hypervolume import hypervolume_figure
from runs.plot.figures.progress import (
    endings_figure,
    speed_figure,
    wall_figure,
)
from runs.record import State, TrialRecord
from runs.shown import endings, endings_sentence, running_table
from runs.snapshot import Snapshot
from runs.stopped import stopped
from space.families import labels
from space.quantities import counted, format_count, format_seconds

_SECONDS_BETWEEN_SIGNS = 10.0
"""Of life of who runs the study: fewer are nothing to speak of."""

_ENDS = (State.COMPLETE, State.FAILED, State.PRUNED)


def page() -> None:
    snapshot = chosen.now().snapshot
    st.header("Progress")
    running = snapshot.running
    st.subheader("Interrupted" if running and not snapshot.is_run else "Running now")
    st.fragment(_running, run_every=reading.SECONDS if running else None)(snapshot)
    if snapshot.study.fine_tunes is None:
        _search(snapshot)
    else:
        st.info("It searches nothing: accuracies of its trainings stand on Table.")
    st.subheader("What happened when")
    show_timeline(snapshot)
    st.subheader("Refused, failed and stopped early")
    show_reasons(snapshot)


def _search(snapshot: Snapshot) -> None:
    """How the search went, and where its time did."""
    st.subheader("Hypervolume")
    if snapshot.found:
        _hypervolume(snapshot)
    else:
        st.info(
            "No configuration of the search has finished yet. The curves will appear by themselves."
        )
    st.subheader("Early stopping")
    _early_stopping(snapshot)
    st.subheader("Trials ended")
    times = endings(snapshot.trials)
    if times:
        chart(endings_figure(times, palette=palette()), key="endings")
        st.caption(f"{endings_sentence(snapshot.trials)}.")
    else:
        st.text("None yet.")
    st.subheader("Where the time went")
    _time(snapshot)


def _running(snapshot: Snapshot) -> None:
    with errors_shown():
        st.text(_who_runs(snapshot))
        under_way = snapshot.running
        if not under_way:
            st.text("No trial.")
            return
        curves = reading.curves(snapshot.study.name, [trial.number for trial in under_way])
        last = [curve[-1] if curve else None for curve in curves]
        columns = {
            "Accuracy": NumberColumn("Validation accuracy (%)", format="%.2f"),
            "Loss": NumberColumn("Validation loss (nats)", format="%.3f"),
            "Started": DatetimeColumn(format="distance"),
        }
        trials_dataframe(running_table(list(zip(under_way, last, strict=True))), "running", columns)


def _who_runs(snapshot: Snapshot) -> str:
    """Whether the study is being run, where, and what is left of it."""
    holder = snapshot.holder
    silent = reading.silent_seconds(holder) if holder and holder.lives is None else 0.0
    sign = f"no sign of life for {format_seconds(silent)}"
    if snapshot.is_run:
        return f"Run by {holder}{f', {sign}' if silent > _SECONDS_BETWEEN_SIGNS else ''}."
    gone = "No process runs this study now"
    if holder:
        gone = f"It was run by {holder}, which {f'has given {sign}' if silent else 'is gone'}"
    if snapshot.running or not snapshot.trials:
        return f"{gone}; its command goes on with it."
    more = "" if snapshot.study.fine_tunes else "; a greater --trials would add more"
    return f"{gone}. All its trials have ended{more}."


def _hypervolume(snapshot: Snapshot) -> None:
    history, cost = snapshot.history, snapshot.study.cost
    left, right = row("hypervolume", 2)
    with left:
        figure = hypervolume_figure(history, "configurations", cost, palette=palette())
        chart(figure, key="hypervolume by trials")
    with right:
        figure = hypervolume_figure(history, "training_flops", cost, palette=palette())
        chart(figure, key="hypervolume by training FLOPs")
    st.caption(
        f"Hypervolume: the area that the front of the searched {labels(snapshot.study.families)} "
        f"dominates, in accuracy × decades of {cost.unit}. It only rises; where it is flat, the "
        "search finds nothing better. Training FLOPs: 3 × FLOPs × images seen."
    )


def _early_stopping(snapshot: Snapshot) -> None:
    found = stopped(snapshot.trials, snapshot.study.min_accuracy, snapshot.study.cost)
    if not (snapshot.rungs or found.stopped or found.exempt):
        st.text("This study trains every configuration to the end.")
        return
    lost = hypervolume_lost(snapshot.study, snapshot.trials)
    values = {
        "Configurations stopped": f"{found.stopped:,}",
        "Training compute saved": f"{100 * found.saved_share:.1f} %",
        "Training FLOPs saved": format_count(found.saved_flops),
        "Exempt": f"{found.exempt:,}",
        "Of those on the front": f"{found.exempt_on_front:,}" if found.exempt else "–",
        "Hypervolume lost": f"{100 * lost.share.value:.1f} %" if lost.share else "–",
    }
    meanings = {
        "Configurations stopped": "Too far behind others of no more "
        f"{snapshot.study.cost.unit} when they were compared.",
        "Training compute saved": "Of the training FLOPs the search would have taken without "
        "stopping.",
        "Training FLOPs saved": "What the stopped trials would have taken on top.",
        "Exempt": "Trained to the end although they would have been stopped.",
        "Of those on the front": "What stopping would have lost of them.",
        "Hypervolume lost": "By an estimate: what the stopped ones would have added, if they were "
        "like the exempt ones.",
    }
    with st.container(horizontal=True, gap="large"):
        for label, value in values.items():
            st.metric(label, value, help=meanings[label], width="content")
    verdict = f" So far: {lost.sentence}." if lost.sentence else ""
    st.caption(
        f"{_where_compared(snapshot)}Some configurations that would have been stopped are exempt, "
        "that is trained to the end all the same, to see whether stopping is right. What the "
        "hypervolume would be without them says how much the stopped ones may be missing there."
        f"{verdict}"
    )


def _where_compared(snapshot: Snapshot) -> str:
    """A sentence with the rungs; nothing where they are not known."""
    if not snapshot.rungs:
        return ""
    rungs = " and ".join(str(rung) for rung in snapshot.rungs)
    return f"Trials are compared after epoch {rungs} of {snapshot.trials[0].epochs}. "


def _time(snapshot: Snapshot) -> None:
    found = account(snapshot.searched)
    if found.trials:
        _account(found)
        untimed = sum(snapshot.counts[state] for state in _ENDS) - found.trials
        if untimed:
            st.caption(f"Not counted: {counted(untimed, 'trial')} of an older version.")
    elif any(snapshot.counts[state] for state in _ENDS):
        st.text(
            "The trials were recorded by an older version, which did not keep the study's wall "
            "clock; those that end from now on are counted."
        )
    else:
        st.text("No trial has ended yet.")
    if snapshot.confirming:
        st.caption(_confirming(snapshot.confirming))
    timed = [trial for trial in snapshot.trials if trial.timing is not None]
    if timed:
        st.markdown("**Training speed reached**")
        trials_chart(speed_figure(timed, palette=palette()), key="speed")
        st.caption("3 × FLOPs × images a second, as measured. Click a point to open the trial.")


def _confirming(trials: Sequence[TrialRecord]) -> str:
    """What fresh seeds took, which no figure of the search has in it."""
    spent = account(trials)
    flops = sum(trial.training_flops or 0.0 for trial in trials)
    return (
        f"Besides, {counted(len(trials), 'trial')} with fresh seeds took "
        f"{format_seconds(spent.wall_seconds)} and {format_count(flops)} training FLOPs to "
        "confirm what the search found: no figure of the search has them in it."
    )


def _account(found: Account) -> None:
    busy, an_hour = found.busy_share or 0.0, found.trials_per_hour or 0.0
    compiling = found.median_compile_seconds
    values = {
        "Device busy": f"{100 * busy:.1f} %",
        "Trials per hour": f"{an_hour:,.0f}" if an_hour >= 10 else f"{an_hour:.1f}",
        "Programs from the cache": f"{found.cache_hits:,} of {found.programs:,}",
        "Median compile time": "–" if compiling is None else f"{compiling:.1f} s",
    }
    meanings = {
        "Device busy": "(Training + validating) / wall clock: the share of the time the study ran "
        "in which its device was training or validating a network; the mean over its workers.",
        "Trials per hour": "Trials ended, whatever their end, in an hour the study ran.",
        "Programs from the cache": "Compiled before and found on disk. The seeds of a "
        "configuration are one program.",
        "Median compile time": "Of the programs that were not in the cache. Compiled while the "
        "trial before trains.",
    }
    with st.container(horizontal=True, gap="large"):
        for label, value in values.items():
            st.metric(label, value, help=meanings[label], width="content")
    chart(wall_figure(found, palette=palette()), key="wall clock")
    st.caption(
        "Wall clock: the time the study ran, once for every worker. Tracing "
        f"({format_seconds(found.trace_seconds)} in all) and compiling "
        f"({format_seconds(found.compile_seconds)}) go on in the background while the trial before "
        "trains, so they are no slices of it; what the device waited for them is in Other."
    )


page()
