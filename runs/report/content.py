"""What a report says of a study, section by section."""

from __future__ import annotations

from runs.confirmed import Confirmed, find_confirmed
from runs.convergence import Unconverged, read_unconverged
from runs.reader import Reader
from runs.record import State
from runs.report.circumstances import asked_sections, receipts
from runs.report.front import equal_cost_section, front_section
from runs.report.progress import progress_section
from runs.report.section import Content, Section
from runs.snapshot import Snapshot, read_snapshot
from runs.test_readings import readings_line
from runs.wording import percent, state_word
from space.families import labels
from space.quantities import counted


def read_content(store: Reader, study: str) -> Content:
    """All that a report says.

    Raises:
        UnknownStudyError: there is no such study.
    """
    snapshot = read_snapshot(store, study)
    confirmed = find_confirmed(store, study)
    marks = read_unconverged(store, snapshot)
    sections = [
        _result(snapshot, confirmed, marks),
        *front_section(snapshot, marks),
        *equal_cost_section(snapshot, marks),
        *progress_section(snapshot),
        *asked_sections(snapshot),
        receipts(snapshot),
    ]
    return Content(study=study, subtitle=_subtitle(snapshot), sections=sections)


def _subtitle(snapshot: Snapshot) -> str:
    study = snapshot.study
    data = str(study.spec.get("dataset", "an unnamed data set"))
    what = f"Search for {labels(study.families)}"
    if study.fine_tunes is not None:
        what = f"Fine-tuning of preset {study.fine_tunes}"
    return f"{what} on {data}, {study.num_classes:,} classes; begun {study.created_at:%Y-%m-%d}"


def _result(
    snapshot: Snapshot, confirmed: Confirmed | None, marks: dict[int, Unconverged]
) -> Section:
    """The sentence of the study, or why it has none yet; and its numbers."""
    study = snapshot.study
    if confirmed is not None:
        said = confirmed.sentences()
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
        facts["Best accuracy (validation)"] = percent(best)
        facts["On the front"] = f"{len(snapshot.front):,}"
        facts["Hypervolume"] = f"{snapshot.hypervolume:.3f} accuracy × decades of {study.cost.unit}"
    facts["Test split"] = readings_line(snapshot.readings)
    return Section(title="Result", sentences=said, facts=facts)
