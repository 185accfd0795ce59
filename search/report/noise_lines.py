"""How far a study's front can be trusted, in sentences for a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from runs import winners
from runs.convergence import Unconverged
from runs.equal_cost import Comparison, at_equal_cost, compared_families
from runs.noise import Noise, places_sentence, undecided
from runs.record import Origin, TrialRecord
from runs.seeds import over_seeds
from search.report.status import StudyStatus
from space.families import family_of


def accuracy_text(accuracy: float | None, arm: float | None) -> str:
    """`91.2 ± 0.8 %`; without the half-width where it is not known."""
    if accuracy is None:
        return "-"
    return f"{100 * accuracy:.1f} %" if arm is None else f"{100 * accuracy:.1f} ± {100 * arm:.1f} %"


def front_line(status: StudyStatus, noise: Noise) -> str | None:
    """How many members of the front could change places, and what the bars are of."""
    unsure = undecided(status.front, winners.candidates(status.trials), noise, status.study.cost)
    if unsure is None or not status.front:
        return None
    return places_sentence(len(status.front), len(unsure), noise)


def comparison_lines(
    status: StudyStatus, noise: Noise, marks: Mapping[int, Unconverged]
) -> list[str]:
    """The families at equal cost, a line a budget; somebody is better only beyond the noise."""
    found = winners.candidates(status.trials)
    given = over_seeds([t for t in status.trials if t.origin is Origin.BASELINE])
    cost = status.study.cost
    return [
        f"best of at most {cost.shortly(one.budget)}: {_comparison(one, marks)}"
        for pair in compared_families(status.study, found, given)
        for one in at_equal_cost(*pair, noise, cost)
    ]


def shown(status: StudyStatus) -> list[TrialRecord]:
    """The front, and the baselines it is compared with."""
    given = over_seeds([t for t in status.trials if t.origin is Origin.BASELINE])
    return [*status.front, *given]


def _comparison(found: Comparison, marks: Mapping[int, Unconverged]) -> str:
    sides = []
    for trial, arm in zip((found.one, found.other), found.arms, strict=True):
        mark = f" ({marks[trial.number]})" if trial.number in marks else ""
        label = family_of(trial.config).label
        sides.append(f"{label} {accuracy_text(trial.accuracy, arm)}{mark}")
    interval = ""
    if found.difference:
        low, high = 100 * found.difference.low, 100 * found.difference.high
        interval = f" ({low:.1f} to {high:.1f})"
    return f"{', '.join(sides)}: {found.points:+.1f} points{interval}; {found.verdict(marks)}"
