"""What was asked of a study, and under which circumstances it ran, as sections of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runs.asked import data_facts, recipe_facts, search_facts, searched_ranges, start_facts
from runs.next_steps import next_steps
from runs.rates import TriedRate
from runs.report.section import Commands, Facts, Part, Section, Table
from runs.shown import moment
from runs.shown_study import ranges_table, rates_table
from runs.snapshot import Snapshot
from runs.spent import where_facts
from runs.test_readings import readings_line


def asked_section(snapshot: Snapshot, rates: Sequence[TriedRate]) -> Section:
    """Data, search, recipe, space, and how the learning rates were found."""
    study, trials = snapshot.study, snapshot.trials
    is_search = study.fine_tunes is None and study.rates_of is None
    groups: dict[str, Mapping[str, str]] = {
        "Data": data_facts(study, trials),
        "Start": start_facts(study),
        "Search": search_facts(study, trials) if is_search else {},
        "Recipe": recipe_facts(study),
    }
    parts: list[Part] = [
        Facts(title=title, facts=facts) for title, facts in groups.items() if facts
    ]
    ranges = searched_ranges(study, trials) if is_search else []
    if ranges:
        parts.append(Table(frame=ranges_table(ranges), caption="The space that was searched."))
    if rates:
        chosen = study.spec.get("learning_rates") or {}
        parts.append(
            Table(
                frame=rates_table(rates, chosen),
                caption=f"Mean validation accuracy (%) of a few networks of each family after "
                f"{rates[0].epochs} epochs; the most accurate rate is the family's.",
            )
        )
    return Section(title="What was asked", parts=parts)


def receipts_section(
    snapshot: Snapshot, storage: str | None, *, is_confirmed: bool = False
) -> Section:
    """When, on what and by what it was made, so that it can be made again.

    Args:
        snapshot: the study.
        storage: the database as it was named; commands name it too, without its password.
        is_confirmed: whether the front has been confirmed, to the end.
    """
    study = snapshot.study
    facts = {"begun": moment(study.created_at)}
    ends = [t.finished_at for t in snapshot.trials if t.finished_at is not None]
    if ends:
        facts["last trial ended"] = moment(max(ends))
    readings = [
        (f"{moment(one.read_at)}: {one.purpose}, for {one.study or 'no study'}", one.command)
        for one in snapshot.readings
    ]
    steps = [
        (step.purpose, step.command)
        for step in next_steps(snapshot, storage, is_confirmed=is_confirmed)
    ]
    said = readings_line(snapshot.readings).capitalize()
    if readings:
        said += ", by these commands, for all studies of the database that share it"
    return Section(
        title="Receipts",
        sentences=[f"{said}."],
        parts=[
            Commands(commands=readings),
            Facts(facts=facts | where_facts(snapshot.trials)),
            Commands(title="What comes next", commands=steps),
        ],
    )


def notes_section(snapshot: Snapshot) -> list[Section]:
    """What was written down on the study and its trials; none where nothing was."""
    if not snapshot.notes:
        return []
    said = [
        f"{moment(note.written_at)}"
        + ("" if note.trial is None else f", trial {note.trial}")
        + f": {note.text}"
        for note in snapshot.notes
    ]
    return [Section(title="Notes", sentences=said)]
