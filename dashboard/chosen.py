"""Which study and which trial are looked at: in the URL, in the sidebar, and kept between pages.

The URL leads: `?study=NAME&trial=17` opens the same thing on every page. Where it names neither,
what was chosen last is kept in the browser tab and written back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import streamlit as st

from dashboard import kept, reading
from dashboard.errors import errors_shown
from runs.reader import UnknownStudyError
from runs.record import State, TrialRecord
from runs.shown import moment
from runs.snapshot import Snapshot
from runs.storage import StorageError
from runs.test_readings import readings_line
from runs.wording import state_word
from space.quantities import counted


@dataclass(frozen=True)
class Chosen:
    """What a page is about."""

    snapshot: Snapshot
    trial: TrialRecord | None


def choose() -> None:
    """Settles study and trial, shows them in sidebar and URL, and looks for news from then on.

    Raises:
        UnknownStudyError: the URL names a study or a trial that is not there.
    """
    with _waited_for("", []):
        names = reading.study_names()
    if not names:
        st.info("The database holds no study yet; start one: `python -m search.run --help`")
        st.stop()
    before: Chosen | None = st.session_state.get("chosen")
    name = st.query_params.get("study") or (before.snapshot.study.name if before else names[0])
    st.session_state["picked"] = name if name in names else None
    st.sidebar.selectbox(
        "Study", names, key="picked", on_change=_picked, placeholder="Choose a study"
    )
    follow = st.sidebar.toggle(
        "Follow the search",
        value=True,
        key="follow",
        help="New results are drawn as they come. Switch it off to look at a figure undisturbed.",
    )
    with _waited_for(name, names):
        snapshot = reading.latest(name, follow=follow)
    st.session_state["chosen"] = Chosen(snapshot, None)  # where the trial is not there
    number = st.query_params.get("trial")
    if number is None and before and before.trial and before.snapshot.study.name == name:
        number = str(before.trial.number)
    trial = None if number is None else _numbered(snapshot, number)
    st.session_state["chosen"] = Chosen(snapshot, trial)
    kept.write_link(_url(name, number))
    with st.sidebar:
        _describe(snapshot)
        if follow:
            _watch(name, snapshot, names)


def now() -> Chosen:
    """What was settled at the beginning of this run."""
    chosen: Chosen = st.session_state["chosen"]
    return chosen


def follows() -> bool:
    """Whether what is shown is to change when there is news."""
    return bool(st.session_state["follow"])


def open_trial(number: int) -> None:
    """Goes to the page of a trial of the chosen study; does not return."""
    parameters = _url(now().snapshot.study.name, str(number))
    st.switch_page("views/trial.py", query_params=parameters)


def open_trials(numbers: Sequence[int]) -> None:
    """Goes to the page on which these trials of the chosen study stand side by side; does not
    return."""
    here = now()
    number = None if here.trial is None else str(here.trial.number)
    named = {"trials_numbers": [",".join(map(str, numbers))]}
    parameters = _url(here.snapshot.study.name, number) | named
    st.switch_page("views/trials.py", query_params=parameters)


def choose_trial(number: int) -> None:
    """For a widget's callback: the trial is the chosen one in the run that follows."""
    kept.write_link(_url(now().snapshot.study.name, str(number)))


def _picked() -> None:
    """Another study: its trials are others."""
    kept.forget("trials_numbers")
    kept.write_link(_url(st.session_state["picked"], None))


def _numbered(snapshot: Snapshot, number: str) -> TrialRecord:
    found = next((t for t in snapshot.trials if str(t.number) == number), None)
    if found is None:
        there = f"0 to {snapshot.trials[-1].number}" if snapshot.trials else "not there yet"
        raise UnknownStudyError(
            f"study {snapshot.study.name!r} has no trial {number!r}; its trials are {there}"
        )
    return found


def _url(study: str, trial: str | None) -> dict[str, list[str]]:
    return {"study": [study], "trial": [] if trial is None else [trial]}


def _describe(snapshot: Snapshot) -> None:
    study = snapshot.study
    counts = [
        f"{snapshot.counts[state]:,} {state_word(state, is_run=snapshot.is_run)}"
        for state in State
        if snapshot.counts[state]
    ]
    tuning = "" if study.fine_tunes is None else f"\nfine-tunes preset {study.fine_tunes}"
    trials = snapshot.sought
    confirming = ""
    if snapshot.confirming:
        confirming = f"\n{counted(len(snapshot.confirming), 'trial')} with fresh seeds"
    st.text(
        f"{study.spec.get('dataset', 'an unnamed data set')}, {study.num_classes} classes{tuning}\n"
        f"since {moment(study.created_at)}\n"
        + ": ".join([counted(len(trials), "trial"), ", ".join(counts)][: 1 + bool(counts)])
        + confirming
        + f"\n{readings_line(snapshot.readings)}"
    )


@contextmanager
def _waited_for(study: str, names: list[str]) -> Iterator[None]:
    """Looks from then on whether the study can be read, if it cannot."""
    try:
        yield
    except StorageError:
        _watch(study, None, names)
        raise


@st.fragment(run_every=reading.SECONDS)
def _watch(study: str, shown: Snapshot | None, names: list[str]) -> None:
    """Draws the page again when there is news of the study, when a study has come, or when they
    cannot be read any more, or again; nothing else."""
    with errors_shown():
        try:
            fresh = reading.study_names() != names or reading.latest(study) is not shown
        except StorageError:
            fresh = shown is not None
        if fresh:
            st.rerun()
