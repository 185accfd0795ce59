"""How a search went and what it took, as a section of a report."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from runs.accounting import account
from runs.plot.of_study import hypervolume
from runs.plot.progress import endings_figure, wall_figure
from runs.record import State
from runs.report.section import Figure, Section, Table
from runs.shown import endings
from runs.snapshot import Snapshot
from runs.wording import state_word, training_flops
from space.families import labels
from space.quantities import format_seconds


def progress_section(snapshot: Snapshot) -> list[Section]:
    """Hypervolume, endings, where the time went, and why trials were not finished."""
    if not snapshot.sought:
        return []
    parts: list[Figure | Table] = []
    if len(snapshot.history.hypervolume):
        parts.append(
            Figure(
                figure=hypervolume(snapshot),
                caption="The area that the front of the searched "
                f"{labels(snapshot.study.families)} dominates, after so much training compute "
                "(3 × FLOPs × images seen); where it is flat, the search finds nothing better.",
            )
        )
    if times := endings(snapshot.sought):
        parts.append(
            Figure(
                figure=endings_figure(times),
                caption="How many trials had ended in each state, over time.",
            )
        )
    spent, facts = account(snapshot.sought), {}
    if spent.trials:
        flops = sum(t.training_flops or 0.0 for t in snapshot.sought)
        facts = {
            "Wall clock": format_seconds(spent.wall_seconds),
            "Training FLOPs": training_flops(flops),
            "Trials per hour": f"{spent.trials_per_hour or 0.0:,.1f}",
            "Device busy": f"{100 * (spent.busy_share or 0.0):.1f} %",
            "Programs from the cache": f"{spent.cache_hits:,} of {spent.programs:,}",
        }
        parts.append(
            Figure(
                figure=wall_figure(spent),
                caption="Where the wall clock went, once for every worker.",
            )
        )
    if len(table := _reasons(snapshot)):
        parts.append(Table(frame=table, caption="Trials that were not finished, by reason."))
    return [Section(title="Progress", facts=facts, parts=parts)]


def _reasons(snapshot: Snapshot, most: int = 20) -> pd.DataFrame:
    """The commonest reasons first."""
    ends = {State.REFUSED, State.FAILED, State.PRUNED}
    reasons = Counter(
        (state_word(t.state), (t.error or "not known").partition(";")[0])
        for t in snapshot.sought
        if t.state in ends
    )
    rows = [
        {"Trials": times, "State": state, "Reason": reason}
        for (state, reason), times in reasons.most_common(most)
    ]
    return pd.DataFrame(rows, columns=["Trials", "State", "Reason"])
