"""The front of a search, and its families at equal cost, as sections of a report."""

from __future__ import annotations

from collections.abc import Mapping

from runs.convergence import Unconverged, sentence
from runs.front_words import front_caption
from runs.noise import places_sentence
from runs.plot.figures.front import front_figure
from runs.plot.figures.series import searched_series, stopped_series
from runs.report.section import Figure, Part, Section, Table
from runs.shown import equal_cost_table, front_table
from runs.snapshot import Snapshot
from runs.thinning import thinned_sentence
from runs.wording import letters_explained
from space.families import labels

MOST_POINTS = 2_000
"""On one figure of a file that is mailed; every one takes about 150 bytes of it."""


def front_section(
    snapshot: Snapshot, marks: Mapping[int, Unconverged], *, most_points: int = MOST_POINTS
) -> list[Section]:
    """Accuracy against cost, and the configurations on the front; none before one has finished.

    Args:
        snapshot: the study.
        marks: trials whose training had not converged, by number.
        most_points: where there are more, some are left out of the figure.
    """
    cost = snapshot.study.cost
    searched = searched_series(snapshot, cost, marks)
    if not any(len(one.points.x) for one in searched):
        return []
    series = [*searched, *stopped_series(snapshot, cost)]
    caption = front_caption(snapshot, has_crosses=bool(snapshot.stopped))
    if left_out := thinned_sentence([one.points for one in series], most_points):
        caption += f" So that the file stays small, {left_out}."
    title = f"{labels(snapshot.study.families)} on the front"
    said = []
    if snapshot.undecided is not None and snapshot.front:
        said.append(
            f"{places_sentence(len(snapshot.front), len(snapshot.undecided), snapshot.noise)}."
        )
    if (line := sentence(marks)) is not None:
        said.append(f"{line}.")
    families = dict.fromkeys([*snapshot.study.families, *(t.family for t in snapshot.given)])
    said += [f"Short names, {line}." for line in letters_explained(families)]
    parts: list[Part] = [Figure(figure=front_figure(series, most=most_points), caption=caption)]
    if snapshot.front:
        table = front_table(
            snapshot.front,
            snapshot.noise,
            cost,
            several=snapshot.several,
            name_families=len(snapshot.study.families) > 1,
            remarks=_remarks(snapshot, marks),
        )
        parts.append(Table(frame=table, caption=f"{title}, the cheapest first."))
    return [Section(title="Front of the search", sentences=said, parts=parts)]


def equal_cost_section(snapshot: Snapshot, marks: Mapping[int, Unconverged]) -> list[Section]:
    """The best of each family within a budget, side by side; none where there is one family."""
    cost, noise = snapshot.study.cost, snapshot.noise
    found = [comparisons for comparisons in snapshot.comparisons if comparisons]
    if not found:
        return []
    said = ["The most accurate of each family within a budget, by validation."]
    if noise.num_images is not None:
        said.append(
            f"± and the interval of the difference, in points, are 95 %, {noise.covers}; the "
            "intervals hold together."
        )
    tables = [Table(frame=equal_cost_table(comparisons, cost, marks)) for comparisons in found]
    return [Section(title=f"At equal {cost.label}", sentences=said, parts=tables)]


def _remarks(snapshot: Snapshot, marks: Mapping[int, Unconverged]) -> dict[int, str]:
    """What is to be said of members of the front, by number."""
    words = {
        t.number: [
            *(["undecided"] if t.number in (snapshot.undecided or ()) else []),
            *([marks[t.number].value] if t.number in marks else []),
        ]
        for t in snapshot.front
    }
    return {number: ", ".join(said) for number, said in words.items() if said}
