"""When a trial under way is kept, and what happens when it cannot be."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator

from search.protocol import TrialRequest, Warned
from search.train.checkpoint import Checkpoint, CheckpointError, load, save

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class CheckpointManager:
    """Keeps the checkpoints of one request, as often as it asks for.

    A checkpoint that cannot be written or read is no reason to lose a trial: it is said once, and
    the trial trains on without.
    """

    def __init__(self, request: TrialRequest) -> None:
        self._request = request
        self._wanted = request.checkpointing
        self._epoch = 0
        self._kept_at = time.monotonic()
        self._has_warned = False
        self._warnings: list[Warned] = []

    def find(self) -> Checkpoint | None:
        """Where an earlier attempt came to."""
        if self._wanted is None:
            return None
        try:
            return load(self._wanted.file, self._request)
        except CheckpointError as error:
            self._warn(f"checkpoint {self._wanted.file} is of no use ({error})")
            return None

    def begin(self, epoch: int) -> None:
        """The next step follows that epoch, of which nothing has to be kept."""
        self._epoch, self._kept_at = epoch, time.monotonic()

    def is_due(self, epoch: int) -> bool:
        """Whether the trials are to be kept after an epoch."""
        if self._wanted is None:
            return False
        if epoch == self._request.recipe.epochs:
            return self._wanted.keeps_last
        return time.monotonic() - self._kept_at >= self._wanted.every_seconds

    def keep(self, checkpoint: Checkpoint) -> None:
        """Writes a checkpoint, if there is not one of that epoch."""
        if self._wanted is None or checkpoint.epoch == self._epoch:
            return
        try:
            save(self._wanted.file, self._request, checkpoint)
        except OSError as error:
            todo = "free some space" if error.errno in _FULL else "see that it can be written to"
            self._warn(
                f"no checkpoint can be written in {self._wanted.file.parent} ({error.strerror}); "
                f"{todo}: an interruption now costs what was trained since the last one"
            )
        self.begin(checkpoint.epoch)

    def warnings(self) -> Iterator[Warned]:
        """What was not said yet."""
        while self._warnings:
            yield self._warnings.pop(0)

    def _warn(self, sentence: str) -> None:
        if not self._has_warned:
            self._warnings.append(Warned(sentence, is_lasting=True))
        self._has_warned = True
