"""What was asked of a study, and under which circumstances it ran, as sections of a report."""

from __future__ import annotations

from runs.report.section import Section
from runs.shown import moment
from runs.snapshot import Snapshot


def asked_sections(snapshot: Snapshot) -> list[Section]:
    """Data, recipe and search."""
    return []


def receipts(snapshot: Snapshot) -> Section:
    """When, where and by what it was made, so that it can be made again."""
    facts = {"Begun": moment(snapshot.study.created_at)}
    ends = [t.finished_at for t in snapshot.trials if t.finished_at is not None]
    if ends:
        facts["Last trial ended"] = moment(max(ends))
    return Section(title="Receipts", facts=facts)
