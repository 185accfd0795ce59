"""Which weights of a study's trials are kept: those of its front, all, or none.

Those of its confirmations always are: the test images are predicted from them.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from runs import winners
from runs.record import (
    ImageResults,
    Origin,
    State,
    StudyRecord,
    TrialRecord,
    WeightsRecord,
)
from runs.weights_folder import WeightsFolder, weights_folder
from runs.writer import Writer
from search.study.state import StudyState
from space.errors import MixerSearchError
from space.paths import make_writable

CHOICES = ("front", "all", "none")

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class WeightsOptionError(MixerSearchError):
    """What was asked about weights cannot be."""


class WeightsOptions(NamedTuple):
    """What the command line says of weights."""

    which: str = "front"
    """One of `CHOICES`."""
    folder: Path | None = None
    """None for one beside the database."""

    def check(self) -> None:
        """Makes the folder where one was named.

        Raises:
            WeightsOptionError: no such choice, or no file can be written to the folder.
        """
        if self.which not in CHOICES:
            raise WeightsOptionError(
                f"--keep-weights {self.which}: there is {', '.join(CHOICES)}; choose one"
            )
        if self.folder is None:
            return
        try:
            make_writable(self.folder)
        except OSError as error:
            raise WeightsOptionError(
                f"--weights-dir {self.folder}: no file can be written there "
                f"({error.strerror}); name another folder"
            ) from None

    def of(self, study: StudyRecord, storage: str | None) -> KeptWeights | None:
        """The weights of a study; None where none are to be kept."""
        if self.which == "none":
            return None
        folder = weights_folder(storage, self.folder)
        return KeptWeights(study, folder, only_front=self.which == "front")


class KeptWeights:
    """Which of a study's weights are wanted, and their files.

    The front is that of the search, by the means of all seeds. Trials leave it as better ones
    come, and what was kept of them goes; what an earlier process kept besides stays.

    Args:
        study: as it is in the database.
        folder: of the files.
        only_front: of the search's trials; False keeps the weights of every complete trial,
            baselines included. Of trials that are no part of the search all are kept.
    """

    def __init__(self, study: StudyRecord, folder: WeightsFolder, *, only_front: bool) -> None:
        self._study = study
        self._folder = folder
        self._only_front = only_front
        self._front: list[TrialRecord] | None = None
        """Means over seeds; None until it is asked for."""

    @property
    def facts(self) -> dict[str, str]:
        """What a file is to say of the study."""
        dataset = str(self._study.spec.get("dataset"))
        return {
            "study": self._study.name,
            "study_began": self._study.created_at.isoformat(),
            "dataset": dataset,
            "dataset_version": str(self._study.spec.get("dataset_version") or ""),
        }

    def wants(self, trials: Sequence[TrialRecord], state: StudyState) -> bool:
        """Whether the weights of trials of one configuration are kept, as things stand."""
        return self._keeps_all(trials) or _is_on(self._front_with(trials, state), trials)

    def end_trials(
        self,
        store: Writer,
        trials: Sequence[TrialRecord],
        contents: Mapping[int, bytes],
        state: StudyState,
        say: Callable[[str], None],
        *,
        image_results: Sequence[ImageResults] = (),
    ) -> list[TrialRecord]:
        """Writes how trials of one configuration ended, and what is kept of their weights.

        A confirmation is complete with its weights or not at all.

        Args:
            store: where results are written.
            trials: as they ended.
            contents: the files that were sent, by trial.
            state: of the study; need not have the trials as they ended.
            say: told why a file cannot be written.
            image_results: of these trials.

        Returns:
            The trials as they were written.
        """
        left: list[TrialRecord] = []
        if not self._keeps_all(trials):
            before, self._front = self._others(trials, state), self._front_with(trials, state)
            left = [
                t
                for mean in before
                if not _is_on(self._front, [mean])
                for t in state.seeds_of(mean)
            ]
            if not _is_on(self._front, trials):  # another has driven it off meanwhile
                contents = {}
        written = self._write(contents, trials[0].origin, say)
        without = [trial.number for trial in left]
        kept = {record.trial for record in written}
        ended = [t if t.number in kept else _without_weights(t) for t in trials]
        complete = {t.number for t in ended if t.state is State.COMPLETE}
        gone = store.end_trials(
            self._study.name,
            ended,
            weights=written,
            without=without,
            image_results=[results for results in image_results if results.trial in complete],
        )
        self._folder.remove(gone)
        return ended

    def _keeps_all(self, trials: Sequence[TrialRecord]) -> bool:
        return not (self._only_front and trials[0].in_search)

    def _write(
        self, contents: Mapping[int, bytes], origin: Origin, say: Callable[[str], None]
    ) -> list[WeightsRecord]:
        """Writes files; those that cannot be written are left out."""
        written = []
        for trial, content in contents.items():
            try:
                written.append(self._folder.write(trial, content))
            except OSError as error:
                todo = "free some space" if error.errno in _FULL else "see that it can be written"
                lost = "results are stored, the weights of trials that end meanwhile are lost"
                if origin is Origin.CONFIRMATION:
                    lost = "confirmations that end meanwhile have failed"
                say(
                    f"no weights can be written in {self._folder.path} ({error.strerror}); {todo}: "
                    f"{lost}"
                )
        return written

    def _front_with(self, trials: Sequence[TrialRecord], state: StudyState) -> list[TrialRecord]:
        """The front when trials of one configuration have ended so."""
        seeds = {t.number: t for t in [*state.seeds_of(trials[0]), *trials]}
        return self._front_of(
            [*self._others(trials, state), *winners.candidates([*seeds.values()])]
        )

    def _others(self, trials: Sequence[TrialRecord], state: StudyState) -> list[TrialRecord]:
        """The front without the configuration of these trials."""
        if self._front is None:
            self._front = self._front_of(winners.candidates([*state.trials.values()]))
        return [mean for mean in self._front if not _is_on([mean], trials)]

    def _front_of(self, means: Iterable[TrialRecord]) -> list[TrialRecord]:
        in_order = sorted(means, key=lambda mean: mean.number)
        return winners.front(in_order, self._study.min_accuracy, self._study.cost)


def _without_weights(trial: TrialRecord) -> TrialRecord:
    """As it ended, if its weights are not there."""
    if trial.origin is not Origin.CONFIRMATION or trial.state is not State.COMPLETE:
        return trial
    error = "its weights could not be kept, from which the test is predicted"
    return replace(trial, state=State.FAILED, error=error, accuracy=None, loss=None)


def _is_on(front: Sequence[TrialRecord], trials: Sequence[TrialRecord]) -> bool:
    """Whether a point of the front is the mean of trials of one configuration."""
    mine = trials[0].config, trials[0].origin
    return any((mean.config, mean.origin) == mine for mean in front)
