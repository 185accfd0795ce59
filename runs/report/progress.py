"""How a search went and what it took, as a section of a report."""

from __future__ import annotations

import pandas as pd

from runs.accounting import account
from runs.hypervolume_lost import hypervolume_lost
from runs.plot.figures.progress import endings_figure, wall_figure
from runs.plot.figures.spent import spent_figure
from runs.plot.figures.timeline import timeline_figure
from runs.plot.of_study import hypervolume
from runs.reasons import by_reason
from runs.report.section import Facts, Figure, Part, Section, Table
from runs.shown import endings, endings_sentence
from runs.snapshot import Snapshot
from runs.spent import spent_by_family
from runs.stopped import stopped
from runs.timeline import thinned, timeline
from space.families import labels
from space.quantities import format_count, format_seconds

_MOST_BARS = 600
"""Of the timeline: more make a file large, and cannot be told apart on paper."""


def progress_section(snapshot: Snapshot) -> list[Section]:
    """Hypervolume, endings, where the time and the compute went, and why trials were not finished;
    none of a study without trials."""
    if not snapshot.trials:
        return []
    parts: list[Part] = [
        *_spent(snapshot),
        *_stopped(snapshot),
        *_gained(snapshot),
        *_times(snapshot),
        *_reasons(snapshot),
    ]
    return [Section(title="Progress", parts=parts)]


def _spent(snapshot: Snapshot) -> list[Facts]:
    spent = account(snapshot.sought)
    if not spent.trials:
        return []
    flops = sum(t.training_flops or 0.0 for t in snapshot.sought)
    facts = {
        "wall clock": format_seconds(spent.wall_seconds),
        "training FLOPs": format_count(flops),
        "trials per hour": f"{spent.trials_per_hour or 0.0:,.1f}",
        "device busy": f"{100 * (spent.busy_share or 0.0):.1f} %",
        "programs from the cache": f"{spent.cache_hits:,} of {spent.programs:,}",
    }
    return [Facts(facts=facts)]


def _stopped(snapshot: Snapshot) -> list[Facts]:
    """What early stopping saved, and what it may have cost."""
    found = stopped(snapshot.trials, snapshot.study.min_accuracy, snapshot.study.cost)
    if not found.stopped:
        return []
    lost = hypervolume_lost(snapshot.study, snapshot.trials).sentence
    facts = {
        "stopped early": f"{found.stopped:,}; {found.exempt:,} exempt, trained to the end "
        f"nevertheless, of which {found.exempt_on_front:,} on the front",
        "training compute saved by that": f"{100 * found.saved_share:.1f} %",
        "hypervolume lost": lost or "",
    }
    return [Facts(facts=facts)]


def _gained(snapshot: Snapshot) -> list[Figure]:
    """The hypervolume, and the compute that each family got."""
    parts = []
    if len(snapshot.history.hypervolume):
        caption = (
            f"The area that the front of the searched {labels(snapshot.study.families)} "
            "dominates, after so much training compute (3 × FLOPs × images seen); where it is "
            "flat, the search finds nothing better."
        )
        parts.append(Figure(figure=hypervolume(snapshot), caption=caption))
    if spent := spent_by_family(snapshot.trials):
        caption = "The training compute that each family got, by what it was for."
        parts.append(Figure(figure=spent_figure(spent), caption=caption))
    return parts


def _times(snapshot: Snapshot) -> list[Figure]:
    """What happened when, and where the wall clock went."""
    parts = []
    if ends := endings(snapshot.trials):
        caption = f"{endings_sentence(snapshot.trials)}."
        parts.append(Figure(figure=endings_figure(ends), caption=caption))
    stretches = timeline(snapshot.trials)
    drawn = thinned(stretches, _MOST_BARS)
    if drawn:
        caption = (
            "When each training ran; which worker trained it is not recorded, so lanes are packed "
            "from the times."
        )
        if len(drawn) < len(stretches):
            caption += " Those too short to be told apart are drawn as one."
        parts.append(Figure(figure=timeline_figure(drawn), caption=caption))
    spent = account(snapshot.sought)
    if spent.trials:
        caption = "Where the wall clock of the study went, once for every worker."
        parts.append(Figure(figure=wall_figure(spent), caption=caption))
    return parts


def _reasons(snapshot: Snapshot) -> list[Table]:
    """Why trials were not finished, a row a kind of reason with the last trial's own words."""
    rows = [
        {"Trials": len(trials), "Reason": reason, "The last, in its own words": trials[0].error}
        for reason, trials in by_reason(snapshot.trials).items()
    ]
    if not rows:
        return []
    return [Table(frame=pd.DataFrame(rows), caption="Trials that were not finished.")]
