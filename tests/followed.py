"""The status of a study that no coordinator runs."""

from __future__ import annotations

from collections.abc import Iterable

from runs.record import StudyRecord, TrialRecord
from search.report.status import StudyStatus
from search.study.state import StudyState


class Followed(StudyStatus):
    """A status with a state of its own, that learns what is reported as a coordinator's does."""

    def __init__(
        self,
        study: StudyRecord,
        trials: Iterable[TrialRecord],
        *,
        goal: int,
        baselines: int,
        images_per_epoch: int,
    ) -> None:
        super().__init__(
            study,
            StudyState(trials),
            goal=goal,
            baselines=baselines,
            images_per_epoch=images_per_epoch,
        )

    def start(self, trial: TrialRecord) -> None:
        self._state.put([trial])
        super().start(trial)

    def end(self, trial: TrialRecord) -> None:
        self._state.put([trial])
        super().end(trial)
