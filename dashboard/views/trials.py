"""Trials: two to six of them side by side, what they share and in what they differ."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from streamlit.column_config import CheckboxColumn

from dashboard import chosen, kept, reading
from dashboard.controls import open_button, trials_chart
from dashboard.style import row
from dashboard.theme import palette
from runs.plot.figures.trials import accuracies_figure, overlaid_figure, parts_figure
from runs.record import TrialRecord
from runs.side_by_side import (
    MOST,
    TrialChoiceError,
    in_common,
    side_by_side,
    suggested,
    trials_named,
)
from runs.snapshot import Snapshot


def page() -> None:
    snapshot = chosen.now().snapshot
    st.header("Trials side by side")
    if not snapshot.trials:
        st.info("The study has no trial yet. The first will appear by itself.")
        return
    trials = _chosen(snapshot)
    if not trials:
        return
    with st.container(horizontal=True):
        for trial in trials:
            open_button(trial, key=f"open {trial.number}")
    _common(trials)
    st.subheader("Learning curves")
    _curves(snapshot, trials)
    st.subheader("Accuracy")
    _accuracies(snapshot, trials)
    st.subheader("Configurations")
    _configurations(snapshot, trials)
    st.subheader("Cost by layer")
    trials_chart(parts_figure(trials, palette=palette()), key="trials_parts")
    st.caption(
        "FLOPs of one image, forward, stacked by what a network spends them on, summed over its "
        "blocks. Norms, biases and activations are not counted."
    )


def _chosen(snapshot: Snapshot) -> list[TrialRecord]:
    """The trials that are named in the box; without any, some of the front."""
    text = st.text_input(
        f"Trials by number, two to {MOST}",
        key=kept.text("trials_numbers"),
        placeholder="such as 3, 17, 20",
        help="Trials can also be ticked on Table.",
    )
    try:
        named = trials_named(snapshot, text)
    except TrialChoiceError as error:
        st.warning("These are no trials to compare.")
        st.text(str(error))  # not in the box, which reads Markdown
        return []
    if named:
        return named
    trials = suggested(snapshot)
    shown = ", ".join(str(trial.number) for trial in trials)
    of = "of the front: its cheapest, its knee, its most accurate" if snapshot.front else "the last"
    st.caption(f"No trial is named. Shown: {shown}, {of}. Tick others on Table.")
    return trials


def _common(trials: Sequence[TrialRecord]) -> None:
    if len(trials) < 2:
        st.caption("Name another trial to compare it with.")
        return
    shared = in_common(trials)
    if not shared:
        st.text("Their configurations have no value in common.")
        return
    words = ", ".join(f"{name} {value}" for name, value in shared.items())
    st.text(f"In common: {words}.")


def _curves(snapshot: Snapshot, trials: Sequence[TrialRecord]) -> None:
    numbers = [trial.number for trial in trials]
    found = reading.curves(snapshot.study.name, numbers)
    if not any(found):
        st.text("None of them has finished an epoch.")
        return
    curves = dict(zip(numbers, found, strict=True))
    left, right = row("trials_curves", 2)
    with left:
        figure = overlaid_figure(
            curves, "validation_accuracy", "Validation accuracy (%)", scale=100, palette=palette()
        )
        trials_chart(figure, key="trials_accuracy")
    with right:
        figure = overlaid_figure(curves, "train_loss", "Training loss (nats)", palette=palette())
        trials_chart(figure, key="trials_loss")
    st.caption(
        "After each epoch; the number at a line's end is the trial's. The training loss holds what "
        "the recipe adds to it, such as label smoothing. Click a point to open the trial."
    )


def _accuracies(snapshot: Snapshot, trials: Sequence[TrialRecord]) -> None:
    if all(trial.accuracy is None for trial in trials):
        st.text("None of them has one yet.")
        return
    trials_chart(
        accuracies_figure(trials, snapshot.noise, palette=palette()), key="trials_accuracies"
    )
    bars = "Bars: 95 % for one training, of the images only: " if snapshot.noise.num_images else ""
    if bars:
        bars += "another seed moves it besides, so bars that overlap rank nothing. "
    stopped = [str(t.number) for t in trials if t.accuracy is not None and t.rung is not None]
    early = f"Stopped early or exempt, see its page: {', '.join(stopped)}. " if stopped else ""
    st.caption(f"Validation accuracy after the last epoch that was trained. {bars}{early}")


def _configurations(snapshot: Snapshot, trials: Sequence[TrialRecord]) -> None:
    table = side_by_side(snapshot, trials)
    if len(trials) < 2:
        table = table.drop(columns="Differs")
    st.dataframe(
        table,
        hide_index=True,
        height="content",
        column_config={"Differs": CheckboxColumn(width=70)},
    )
    st.caption("A row a field, those in which the trials differ first.")


page()
