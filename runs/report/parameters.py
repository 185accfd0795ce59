"""Which hyperparameters matter, as a section of a report."""

from __future__ import annotations

from runs import winners
from runs.importance import importance
from runs.parameters import family_trials
from runs.plot.figures.cost_shares import cost_shares_figure, drawn_sentence
from runs.plot.figures.importance import importance_figure
from runs.report.section import Figure, Section
from runs.snapshot import Snapshot
from space.families import find_family


def parameters_section(snapshot: Snapshot) -> list[Section]:
    """Importance and the shares of FLOPs, family by family; none where nothing is known yet.

    Parallel coordinates are left out: they cannot be brushed on paper, and are drawn by a graphics
    card with code that the page's policy does not let run.
    """
    if snapshot.study.fine_tunes is not None:
        return []
    parts = [part for name in snapshot.study.families for part in _of_family(snapshot, name)]
    return [Section(title="Hyperparameters", parts=parts)] if parts else []


def _of_family(snapshot: Snapshot, name: str) -> list[Figure]:
    found, label = family_trials(snapshot, name), find_family(name).label
    parts = []
    if (known := importance(found)) is not None:
        caption = (
            f"{label}: how much worse a forest predicts unseen trials without a parameter's "
            f"values, from {known.num_configurations:,} configurations. At equal "
            f"{found.cost.label}: of what is left of accuracy after its trend. Bars: 95 %; one "
            "that reaches 0 may be chance."
        )
        parts.append(Figure(figure=importance_figure(known, found.cost), caption=caption))
    front = winners.front(found.trials, snapshot.study.min_accuracy, found.cost)
    if front:
        caption = (
            f"The front of the {label}s, cheapest first, by the share of a network's FLOPs that "
            f"each kind of layer takes.{drawn_sentence(front)}"
        )
        parts.append(Figure(figure=cost_shares_figure(front), caption=caption))
    return parts
