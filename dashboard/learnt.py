"""What a trial's network has learnt, as a part of the trial's page."""

from __future__ import annotations

import streamlit as st

from dashboard import reading
from dashboard.controls import chart
from dashboard.style import row
from dashboard.theme import palette
from runs import learnt_words
from runs.learnt import Learnt, Tiles, learnt
from runs.plot.figures.learnt import tiles_figure
from runs.reader import open_reader
from runs.record import State, TrialRecord, WeightsRecord
from runs.snapshot import Snapshot
from runs.weights_folder import WeightsError, weights_folder, weights_in
from space.families import AnyConfig


def show_learnt(snapshot: Snapshot, trial: TrialRecord) -> None:
    """Token mixing and stem of a Mixer, stem and positions of a ViT; a sentence where the weights
    are not kept, or cannot be read: the rest of the page does not need them."""
    st.subheader("What it has learnt")
    try:
        found = _learnt_of(snapshot.study.name, trial)
    except WeightsError as error:
        st.warning("Its weights are kept, and cannot be read.")
        st.text(str(error))  # not in the box, which reads Markdown
        return
    if found is None:
        st.text(_not_kept(trial))
    elif found == Learnt():
        st.text("How to show the weights of this family is not known here.")
    else:
        _show(found, trial.number)


def _learnt_of(study: str, trial: TrialRecord) -> Learnt | None:
    """None where its weights are not kept.

    Raises:
        WeightsError: their file is missing or damaged.
    """
    storage = reading.own_storage()
    record = _weights(storage, study, reading.changed_marker()).get(trial.number)
    return None if record is None else _learnt(storage, record.digest, record, trial.config)


@st.cache_resource(max_entries=4, show_spinner=False)
def _weights(storage: str | None, study: str, marker: reading.Marker) -> dict[int, WeightsRecord]:
    with open_reader(storage) as store:
        return store.weights(study)


@st.cache_resource(max_entries=16, show_spinner=False)
def _learnt(storage: str | None, digest: str, _record: WeightsRecord, _config: AnyConfig) -> Learnt:
    """The images alone are kept: the weights may be large. A file is named by its digest."""
    return learnt(_config, weights_in(weights_folder(storage), _record).arrays)


def _not_kept(trial: TrialRecord) -> str:
    """How its weights would be kept."""
    if trial.state is State.RUNNING:
        return "Weights are kept when a trial completes."
    if trial.state is not State.COMPLETE:
        return "Weights are kept of trials that complete."
    return (
        "The weights of this trial are not kept: search.run keeps those of the front "
        "(--keep-weights front), or of all that complete from then on (--keep-weights all)."
    )


def _show(found: Learnt, number: int) -> None:
    if found.token_mixing:
        for place, tiles in zip(row("token_mixing", 3), found.token_mixing, strict=False):
            with place:
                _tiles(tiles, f"learnt {tiles.title} of {number}")
        st.caption(learnt_words.token_mixing_words(found.token_mixing[0]))
    left, right = row("stem", 2)
    if found.stem is not None:
        with left:
            _tiles(found.stem, f"learnt stem of {number}")
            st.caption(learnt_words.stem_words(found.stem))
    if found.positions is not None:
        with right:
            _tiles(found.positions, f"learnt positions of {number}")
            st.caption(learnt_words.POSITIONS)


def _tiles(tiles: Tiles, key: str) -> None:
    chart(tiles_figure(tiles, palette=palette()), key)
