"""What a report says of a study, section by section."""

from __future__ import annotations

from runs.confirmed import Confirmed, find_confirmed, of_kind
from runs.confirmed_best import best_confirmed
from runs.confirmed_words import published
from runs.convergence import read_unconverged
from runs.pace import confirmation_pace
from runs.rates import read_rates
from runs.reader import Reader
from runs.record import State
from runs.report.circumstances import asked_section, notes_section, receipts_section
from runs.report.confirmation import confirmed_section
from runs.report.front import equal_cost_section, front_section
from runs.report.parameters import parameters_section
from runs.report.progress import progress_section
from runs.report.section import Content, Facts, Section
from runs.report.trials import trials_section
from runs.snapshot import Snapshot, read_snapshot
from runs.study_kind import kind_sentence, result_lines, searches_nothing
from runs.test_readings import readings_line
from runs.wording import luckiest, state_word
from space.families import labels
from space.quantities import counted


def read_content(store: Reader, study: str, storage: str | None = None) -> Content:
    """All that a report says.

    Args:
        store: the database.
        study: its name.
        storage: the database as it was named; None for the default.

    Raises:
        UnknownStudyError: there is no such study.
    """
    snapshot = read_snapshot(store, study)
    confirmed = find_confirmed(store, study)
    marks = read_unconverged(store, snapshot)
    sections = [
        _result(snapshot, confirmed),
        *([] if confirmed is None else [confirmed_section(confirmed)]),
        *front_section(snapshot, marks),
        *equal_cost_section(snapshot, marks),
        *parameters_section(snapshot),
        *trials_section(store, snapshot, storage),
        *progress_section(snapshot),
        asked_section(snapshot, read_rates(store, snapshot.study)),
        receipts_section(snapshot, storage, is_confirmed=_is_confirmed(store, snapshot)),
        *notes_section(snapshot),
    ]
    return Content(study=study, subtitle=_subtitle(snapshot), sections=sections)


def _is_confirmed(store: Reader, snapshot: Snapshot) -> bool:
    """Whether the newest confirmation of its front has been trained to the end."""
    kept = of_kind(store, snapshot.study.name, "front")
    return bool(kept) and confirmation_pace(kept[-1], snapshot).is_complete


def _subtitle(snapshot: Snapshot) -> str:
    study = snapshot.study
    data = str(study.spec.get("dataset", "an unnamed data set"))
    what = f"Search for {labels(study.families)}"
    if searches_nothing(snapshot):
        what = f"Baselines of {labels(study.families)}"
    if study.fine_tunes is not None:
        what = f"Fine-tuning of preset {study.fine_tunes}"
    elif study.rates_of is not None:
        what = f"A learning rate, tried for study {study.rates_of},"
    return f"{what} on {data}, {study.num_classes:,} classes; begun {study.created_at:%Y-%m-%d}"


def _result(snapshot: Snapshot, confirmed: Confirmed | None) -> Section:
    """The sentence of the study, or why it has none yet; and its numbers."""
    study = snapshot.study
    if confirmed is None and (kind := kind_sentence(snapshot)) is not None:
        said = [kind, *result_lines(snapshot)]
    elif confirmed is not None:
        said = published(confirmed)
    elif snapshot.comparisons:
        said = [
            "Not confirmed yet: what stands below was chosen for its accuracy by the search, and "
            "is flattered by it."
        ]
    else:
        said = []
    said = [f"{sentence.rstrip('.')}." for sentence in said]
    counts = snapshot.counts
    states = [
        f"{counts[state]:,} {state_word(state, is_run=snapshot.is_run)}"
        for state in State
        if counts[state]
    ]
    facts = {"Trials": f"{len(snapshot.sought):,}" + (f" ({', '.join(states)})" if states else "")}
    if snapshot.confirming:
        facts["With fresh seeds"] = counted(len(snapshot.confirming), "trial")
    if snapshot.found:
        best = max(t.accuracy or 0.0 for t in snapshot.found)
        fresh = None if confirmed is None else best_confirmed(confirmed)
        if fresh is not None:
            facts["Best accuracy"] = f"{fresh.said} (trial {fresh.trial})"
        facts["Best of the search (validation)"] = luckiest(best, len(snapshot.found))
        facts["On the front"] = f"{len(snapshot.front):,}"
        facts["Hypervolume"] = f"{snapshot.hypervolume:.3f} accuracy × decades of {study.cost.unit}"
    facts["Test split"] = readings_line(snapshot.readings)
    return Section(title="Result", sentences=said, parts=[Facts(facts=facts)])
