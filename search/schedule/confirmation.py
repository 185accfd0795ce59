"""What a confirmation trains next: each candidate with a few fresh seeds, then where they decide.

The coordinator asks it as it asks `search.schedule.scheduler`. What is under way has not reported:
like a search, a confirmation looks one training ahead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from runs.confirmation.estimate import estimate
from runs.confirmation.image_results import image_results, unpacked
from runs.confirmation.next_seed import worth
from runs.confirmed_networks import FEWEST_SEEDS, Network
from runs.record import ImageResults, Origin, State, TrialRecord
from search.schedule.candidate import Candidate
from search.schedule.scheduler import New, Resume, RungDecision, Suggestion, one_by_one
from search.spec.confirmation import ConfirmationTask
from search.spec.studies import StudySpec
from space.costs import Cost, find_cost


@dataclass
class _Row:
    """A candidate while the confirmation runs."""

    index: int
    candidate: Candidate
    parent: int
    flops: float
    begun: int
    """Trainings that were started, those that have not reported included."""
    has_failed: bool
    ended: set[int] = field(default_factory=set)
    """Numbers of those that have reported."""


class ConfirmationScheduler:
    """Suggests trainings with fresh seeds, until as many as were asked for are begun.

    Args:
        spec: of the study.
        task: what is to be trained.
        history: trials of the study as they are to be taken: what failed and is tried again runs.
        others: what the coordinator passes to a search's scheduler besides.
    """

    def __init__(
        self,
        spec: StudySpec,
        *_: object,
        task: ConfirmationTask,
        history: Sequence[TrialRecord] = (),
        **others: Any,
    ) -> None:
        now = {trial.number: trial for trial in history}
        networks = [
            replace(n, trials=tuple(now.get(t.number, t) for t in n.trials)) for n in task.networks
        ]
        self.exhausted = False
        """Never: there is always another seed."""
        self._seed = spec.seed
        self._task = task
        self._cost: Cost = find_cost(spec.cost)
        self._rows = [
            _Row(
                index=i,
                candidate=Candidate.recorded(network.parent, self._cost),
                parent=network.parent.number,
                flops=flops,
                begun=len(network.trials),
                has_failed=network.has_failed,
            )
            for i, (network, flops) in enumerate(zip(networks, task.training_flops, strict=True))
        ]
        self._due: list[Resume] = []
        for row, network in zip(self._rows, networks, strict=True):
            running = [t for t in network.trials if t.state is State.RUNNING]
            row.ended = {t.number for t in network.trials} - {t.number for t in running}
            self._due += [self._resume(row, trials) for trials in _requests(running, task.at_once)]
        self._unheard = _newest(networks) if not self._due else frozenset()
        """Of a confirmation that is taken up again: the newest that ended, until the next is
        suggested as it would have been while that trained."""

    def suggest(self) -> New | Resume | None:
        """What is due after all that was suggested before; None when nothing is."""
        if self._due:
            return self._due.pop(0)
        row = self._next()
        self._unheard = frozenset()
        if row is None:
            return None
        count = 1
        if row.begun == 0 and not self._task.is_uniform:
            count = min(self._task.at_once, self._task.first_round)
        start = self._task.first_seed + row.begun
        row.begun += count
        return New(
            candidate=row.candidate,
            origin=Origin.CONFIRMATION,
            seeds=tuple(range(start, start + count)),
            parent=row.parent,
        )

    def on_resume(self, suggestion: Suggestion, trials: Sequence[TrialRecord]) -> None:
        """Trials of an earlier process are being trained on."""

    def on_epoch(self, *_: object) -> RungDecision | None:
        """Nothing is decided: a confirmation trains to the end."""
        return None

    def on_end(
        self, suggestion: Suggestion, trials: Sequence[TrialRecord], curve: Sequence[float] = ()
    ) -> None:
        """Trainings have ended; their results are stored.

        Those for which together the device had no room are suggested again, one by one.
        """
        if again := one_by_one(suggestion, trials):
            self._due += again
            return
        row = next(row for row in self._rows if row.candidate.config == suggestion.config)
        row.ended |= {trial.number for trial in trials}
        row.has_failed |= any(trial.state is State.FAILED for trial in trials)

    def _next(self) -> _Row | None:
        """Whom the next training is of; None when there is none."""
        spent = sum(row.begun * row.flops for row in self._rows)
        left = self._task.max_training_flops - spent
        fit = [row for row in self._rows if not row.has_failed and row.flops <= left]
        if not fit or sum(row.begun for row in self._rows) >= self._task.num_trainings:
            return None
        fewest = min(fit, key=lambda row: row.begun)
        if fewest.begun < self._task.first_round:
            return fewest
        return self._most_decisive(fit)

    def _most_decisive(self, fit: Sequence[_Row]) -> _Row | None:
        results = self._task.results()
        heard = [self._right(row, results) for row in self._rows]
        values = np.zeros(len(self._rows))
        for group in dict.fromkeys(self._task.groups):
            rows = [
                row
                for row in self._rows
                if self._task.groups[row.index] == group
                and len(heard[row.index]) >= FEWEST_SEEDS
                and not row.has_failed
            ]
            if not rows:
                continue
            values[[row.index for row in rows]] = worth(
                estimate(image_results([np.stack(heard[row.index]) for row in rows])),
                [row.candidate.cost for row in rows],
                [row.flops for row in rows],
                np.random.default_rng([self._seed, sum(row.begun for row in self._rows)]),
                under_way=[row.begun - len(heard[row.index]) for row in rows],
            )
        best = max(fit, key=lambda row: values[row.index])
        return best if values[best.index] > 0 else None

    def _right(self, row: _Row, results: Mapping[int, ImageResults]) -> list[Any]:
        """Of a candidate's trainings what is heard: booleans [images] each."""
        heard = row.ended - self._unheard
        return [
            unpacked(found.right, found.num_images)
            for number, found in results.items()
            if number in heard
        ]

    def _resume(self, row: _Row, trials: Sequence[TrialRecord]) -> Resume:
        return Resume(candidate=row.candidate, origin=Origin.CONFIRMATION, trials=tuple(trials))


def _requests(running: Sequence[TrialRecord], at_once: int) -> list[list[TrialRecord]]:
    """Trials as they were requested: those of one request have consecutive numbers."""
    found: list[list[TrialRecord]] = []
    for trial in running:
        last = found[-1] if found else []
        if last and len(last) < at_once and trial.number == last[-1].number + 1:
            last.append(trial)
        else:
            found.append([trial])
    return found


def _newest(networks: Sequence[Network]) -> frozenset[int]:
    """The number of the trial that began last, of those that ended; none where none has."""
    ended = [t for network in networks for t in network.trials if t.finished_at]
    last = max(ended, key=lambda t: (t.started_at, t.number), default=None)
    return frozenset() if last is None else frozenset({last.number})
