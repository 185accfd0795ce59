"""What a fine-tuning trains next: one configuration with each of its seeds.

The coordinator asks it as it asks `search.schedule.scheduler`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runs.record import Origin, State, TrialRecord
from search.schedule.candidate import Candidate
from search.schedule.scheduler import New, Resume, RungDecision, Suggestion, one_by_one
from search.spec.studies import StudySpec
from space.config import Config
from space.costs import find_cost


class FinetuningScheduler:
    """Suggests the seeds of the study that have no training yet; interrupted ones come first.

    Args:
        spec: of the study.
        config: what is fine-tuned.
        at_once: how many seeds one request trains.
        history: trials of the study as they are to be taken: what failed and is tried again runs.
        others: what the coordinator passes to a search's scheduler besides.
    """

    exhausted = False

    def __init__(
        self,
        spec: StudySpec,
        *_: object,
        config: Config,
        at_once: int,
        history: Sequence[TrialRecord] = (),
        **others: Any,
    ) -> None:
        candidate = Candidate.of(config, find_cost(spec.cost))
        mine = [trial for trial in history if trial.origin is Origin.FINETUNE]
        running = [trial for trial in mine if trial.state is State.RUNNING]
        self._due: list[New | Resume] = [  # as they were requested: so they find their checkpoint
            Resume(
                candidate=candidate,
                origin=Origin.FINETUNE,
                trials=tuple(running[first : first + at_once]),
            )
            for first in range(0, len(running), at_once)
        ]
        begun = {trial.seed for trial in mine}
        seeds = [s for s in range(spec.seed, spec.seed + spec.seeds) if s not in begun]
        self._due += [
            New(
                candidate=candidate,
                origin=Origin.FINETUNE,
                seeds=tuple(seeds[first : first + at_once]),
            )
            for first in range(0, len(seeds), at_once)
        ]

    def suggest(self) -> New | Resume | None:
        """What is due after all that was suggested before; None when nothing is."""
        return self._due.pop(0) if self._due else None

    def on_resume(self, suggestion: Suggestion, trials: Sequence[TrialRecord]) -> None:
        """Trials of an earlier process are being trained on."""

    def on_epoch(self, *_: object) -> RungDecision | None:
        """Nothing is decided: every training goes to its end."""
        return None

    def on_end(
        self, suggestion: Suggestion, trials: Sequence[TrialRecord], curve: Sequence[float] = ()
    ) -> None:
        """Seeds for which together the device had no room are suggested again, one by one."""
        self._due += one_by_one(suggestion, trials)
