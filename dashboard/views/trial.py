"""Trial: one configuration, how it learned, what it costs, and where that happened."""

from __future__ import annotations

from functools import partial

import streamlit as st
from streamlit.column_config import NumberColumn, ProgressColumn

from dashboard import chosen, reading
from dashboard.controls import chart, open_button, preset_button
from dashboard.errors import errors_shown
from dashboard.learnt import show_learnt
from dashboard.notes import notes_text
from dashboard.style import row
from dashboard.theme import palette
from runs import winners
from runs.confirmed_best import FreshAccuracy, fresh_accuracy
from runs.convergence import unconverged
from runs.noise import longer_arm
from runs.plot.figures.curves import curves_figure
from runs.plot.figures.trials import parts_figure
from runs.record import Origin, State, TrialRecord
from runs.rungs import rungs_of
from runs.shown import (
    circumstances,
    configuration,
    layers_table,
    seeds_sentence,
    two_columns,
)
from runs.snapshot import Snapshot
from runs.wording import letters_explained, state_word, stopping_sentence, with_arm
from space.costs import FLOPS, PARAMS
from space.families import family_of
from space.quantities import format_count


def page() -> None:
    here = chosen.now()
    snapshot = here.snapshot
    if not snapshot.trials:
        st.header("Trial")
        st.info("The study has no trial yet. The first will appear by itself.")
        return
    trial = here.trial or _first(snapshot)
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    left.header(f"Trial {trial.number}")
    with right:
        _navigation(snapshot, trial)
    st.subheader(trial.label, help="\n\n".join(letters_explained([trial.family])))
    _metrics(snapshot, trial)
    sentence = stopping_sentence(trial)
    if sentence:
        st.info(sentence)
    if trial.error:
        st.code(trial.error, language=None, wrap_lines=True)
    notes_text(snapshot.notes, trial.number)
    with st.container(horizontal=True):
        repeated = [t for t in snapshot.trials if t.number == trial.parent]
        for other in [*repeated, *snapshot.seeds_of(trial)]:
            if other.number != trial.number:
                open_button(other, key=f"open {other.number}")
        preset_button(snapshot, trial, key="preset")
    st.subheader("Learning curves")
    running = any(t.state is State.RUNNING for t in snapshot.seeds_of(trial))
    st.fragment(_curves, run_every=reading.SECONDS if running else None)(snapshot, trial)
    left, right = row("facts", 2)
    left.subheader("Configuration")
    left.dataframe(two_columns(configuration(trial), "Field"), hide_index=True, height="content")
    right.subheader("When and where")
    right.dataframe(two_columns(circumstances(trial), "Fact"), hide_index=True, height="content")
    _layers(trial)
    show_learnt(snapshot, trial)


def _first(snapshot: Snapshot) -> TrialRecord:
    """Where nothing was chosen: the most accurate of the front, else the last trial."""
    if not snapshot.front:
        return snapshot.trials[-1]
    return snapshot.seeds_of(snapshot.front[-1])[0]


def _navigation(snapshot: Snapshot, trial: TrialRecord) -> None:
    st.session_state["number"] = trial.number
    st.number_input(
        f"Trial number, 0 to {snapshot.trials[-1].number}",
        min_value=0,
        max_value=snapshot.trials[-1].number,
        key="number",
        on_change=lambda: chosen.choose_trial(st.session_state["number"]),
    )


def _metrics(snapshot: Snapshot, trial: TrialRecord) -> None:
    cost = snapshot.study.cost
    value = trial.cost(cost)
    with st.container(horizontal=True, gap="large"):
        state = state_word(trial.state, is_run=snapshot.is_run)
        st.metric("State", state, width="content")
        arm = longer_arm(snapshot.noise.of_training(trial.accuracy))
        st.metric(
            "Validation accuracy",
            with_arm(trial.accuracy, arm),
            help=None if arm is None else "95 % for one training; of the images only.",
            width="content",
        )
        fresh = _fresh(snapshot, trial)
        if fresh is not None:
            st.metric(
                f"Fresh seeds, {fresh.split}",
                with_arm(fresh.interval.value, longer_arm(fresh.interval)),
                help="The mean of trainings that the search did not choose by.",
                width="content",
            )
        st.metric(
            "FLOPs", format_count(trial.flops), help="2 × MACs, one image, forward", width="content"
        )
        st.metric("Parameters", format_count(trial.params), width="content")
        if cost not in (FLOPS, PARAMS) and value is not None:
            st.metric(cost.label, format_count(value), help=cost.title, width="content")
    if fresh is not None and trial.number == fresh.trial:
        st.caption(
            "The search saw one accuracy and chose by it, so part of it is luck; what to expect is "
            f"{fresh.said}."
        )
    seeds = snapshot.seeds_of(trial)
    if len(seeds) > 1:
        st.caption(seeds_sentence(seeds, is_run=snapshot.is_run))
    _comparison(snapshot, trial)


def _fresh(snapshot: Snapshot, trial: TrialRecord) -> FreshAccuracy | None:
    confirmed = reading.confirmed(snapshot)
    return None if confirmed is None else fresh_accuracy(confirmed, trial)


def _comparison(snapshot: Snapshot, trial: TrialRecord) -> None:
    """What the best of those it is compared with has at no higher cost."""
    cost, mean = snapshot.study.cost, snapshot.mean_of(trial)
    own = trial.cost(cost)
    is_searched = trial.in_search and trial.family in snapshot.study.families
    if mean is None or own is None or not is_searched:
        return
    affordable = [
        t for t in winners.front(snapshot.compared, cost=cost) if (t.cost(cost) or 0) <= own
    ]
    if not affordable:
        if snapshot.compared:
            label = family_of(snapshot.compared[0].config).label
            st.caption(f"There is no {label} of no more {cost.unit} to compare it with.")
        return
    other, noise = affordable[-1], snapshot.noise
    difference = noise.difference(mean, other)
    points = 100 * ((mean.accuracy or 0.0) - (other.accuracy or 0.0))
    interval = ""
    if difference:
        interval = f" ({100 * difference.low:+.2f} to {100 * difference.high:+.2f})"
    is_single = min(noise.seeds_behind(mean), noise.seeds_behind(other)) < 2
    of = "one seed, images only: no verdict" if is_single else f"95 %, {noise.covers}"
    label = family_of(other.config).label
    reached = with_arm(other.accuracy, noise.half_width(other))
    reached += f" at {format_count(other.cost(cost) or 0)}"
    st.caption(
        f"{points:+.2f} points{interval} against the best {label} of no more {cost.unit}, "
        f"{other.label} (trial {other.number}): {reached}; {of}."
    )


def _curves(snapshot: Snapshot, trial: TrialRecord) -> None:
    with errors_shown():
        seeds = snapshot.seeds_of(trial)
        curves = reading.curves(snapshot.study.name, [t.number for t in seeds])
        of_seeds = {t.number: curve for t, curve in zip(seeds, curves, strict=True)}
        epochs = of_seeds.pop(trial.number)
        if not any(curves):
            st.text("No epoch is finished yet." if trial.state is State.RUNNING else "None.")
            return
        losses = {trial.number: [epoch.train_loss for epoch in epochs]}
        for mark in unconverged(snapshot.study, [trial], losses, snapshot.noise).values():
            st.warning(f"Not converged: {mark}; {mark.advice}.")
        accuracy = {"Training": "train_accuracy", "Validation": "validation_accuracy"}
        loss = {"Training": "train_loss", "Validation": "validation_loss"}
        rate = {"Learning rate": "learning_rate"}
        left, middle, right = row("curves", 3)
        others = {f"seed {t.seed}": of_seeds[t.number] for t in seeds if t.number in of_seeds}
        color = family_of(trial.config).color
        rungs = _rungs_passed(snapshot, trial, max(len(curve) for curve in curves))
        draw = partial(
            curves_figure, epochs, color=color, others=others, rungs=rungs, palette=palette()
        )
        with left:
            chart(draw(accuracy, "Accuracy (%)", scale=100), key="accuracy")
        with middle:
            chart(draw(loss, "Cross-entropy (nats)"), key="loss")
        with right:
            chart(draw(rate, "Learning rate"), key="rate")


def _rungs_passed(snapshot: Snapshot, trial: TrialRecord, epochs: int) -> list[int]:
    """Those of the first so many epochs after which the trial was compared, as only those of the
    search's own are."""
    if trial.origin is not Origin.SEARCH:
        return []
    return [rung for rung in rungs_of(snapshot.study.spec, trial.epochs) if rung <= epochs]


def _layers(trial: TrialRecord) -> None:
    st.subheader("Cost by layer")
    chart(parts_figure([trial], palette=palette()), key="parts")
    st.caption("The blocks are alike, so a layer's row is the sum over all blocks. For one image.")
    st.dataframe(
        layers_table(trial.config),
        hide_index=True,
        height="content",
        column_config={
            "Times": NumberColumn("In the network", format="× %d"),
            "Parameters": NumberColumn(format="localized"),
            "FLOPs": NumberColumn("FLOPs (M)", format="%.3f"),
            "Share": ProgressColumn("Share of FLOPs", format="%.1f %%", min_value=0, max_value=100),
        },
    )


page()
