"""The folder with the checkpoints of a study: their names, and how long they stay."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from runs.checkpoints import checkpoint_name, checkpoint_prefix
from runs.record import StudyRecord
from runs.storage import beside
from search.protocol import CheckpointPolicy
from space.errors import MixerSearchError
from space.paths import make_writable


class CheckpointFolderError(MixerSearchError):
    """No checkpoint can be written to the folder that was asked for."""


class Checkpoints(NamedTuple):
    """What the command line says of checkpoints."""

    folder: Path | None = None
    """None for one beside the database."""
    every_seconds: float = 30.0
    keep: bool = False

    def check(self) -> None:
        """Makes the folder where one was named.

        Raises:
            CheckpointFolderError: no file can be written there.
        """
        if self.folder is None:
            return
        try:
            make_writable(self.folder)
        except OSError as error:
            raise CheckpointFolderError(
                f"--checkpoint-dir {self.folder}: no file can be written there "
                f"({error.strerror}); name another folder"
            ) from None

    def of(self, study: StudyRecord, storage: str | None) -> CheckpointFolder:
        """The checkpoints of a study."""
        return CheckpointFolder(
            folder=(self.folder or beside(storage, "checkpoints")).absolute(),
            study=study,
            every_seconds=self.every_seconds,
            keeps=self.keep,
        )


@dataclass(frozen=True, kw_only=True)
class CheckpointFolder:
    """The checkpoints of one study, a file a configuration.

    Args:
        folder: made when the first is written; several studies may share it.
        study: as it is in the database; a new one of the same name has other checkpoints.
        every_seconds: between two checkpoints of a trial.
        keeps: whether those of trials that have ended stay, after their last epoch.
    """

    folder: Path
    study: StudyRecord
    every_seconds: float
    keeps: bool = False

    def of(self, trial: int) -> CheckpointPolicy:
        """The policy for the trials of a configuration, given the number of the first."""
        return CheckpointPolicy(
            file=self.folder / checkpoint_name(self.study, trial),
            every_seconds=self.every_seconds,
            keeps_last=self.keeps,
        )

    def discard(self, trial: int) -> None:
        """Removes the checkpoint of trials that have ended, unless it is to be kept."""
        if not self.keeps:
            with suppress(OSError):  # it is tried again when the study goes on
                self.of(trial).file.unlink(missing_ok=True)

    def tidy(self, running: Collection[int]) -> None:
        """Removes what killed processes left of trials that have ended."""
        wanted = {self.of(trial).file for trial in running}
        for file in self.folder.glob(f"{checkpoint_prefix(self.study)}-*"):
            unfinished = file.suffix == ".tmp"
            if unfinished or not (self.keeps or file in wanted):
                with suppress(OSError):
                    file.unlink(missing_ok=True)
