"""Which trials that failed are tried again, and the causes of failures in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from runs.record import Failure, TrialRecord
from space.quantities import write_duration

_IN_WORDS = {
    Failure.DIVERGED: "diverged",
    Failure.LOST_WORKER: "lost a worker twice",
    Failure.OUT_OF_MEMORY: "ran out of memory",
    Failure.DOES_NOT_FIT: "did not fit the device",
    None: "for another reason",
}


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Tells failures of the environment from those of a configuration, which stay.

    A trial that ran into a time limit is tried again under a higher one. What else may have
    changed (memory, whatever ended a worker) cannot be seen from here: that is tried again when
    it is asked for, and so is what an older version recorded no cause of.
    """

    failed: bool = False
    """Whether it is asked for, with `--retry-failed`."""
    trial_seconds: float | None = None
    """The time limit of a trial now; None for none."""

    def takes(self, trial: TrialRecord) -> bool:
        """Whether a trial is tried again."""
        return trial.may_be_tried_again and (self.failed or self._has_more_time(trial))

    def _has_more_time(self, trial: TrialRecord) -> bool:
        before, now = trial.timeout_seconds, self.trial_seconds
        return before is not None and (now is None or now > before)


def causes(failed: Sequence[TrialRecord]) -> str:
    """`2 ran into --trial-timeout 5s, 1 diverged`: the most frequent first."""
    counts = Counter(map(_cause, failed)).most_common()
    return ", ".join(f"{count:,} {cause}" for cause, count in counts)


def _cause(trial: TrialRecord) -> str:
    if trial.failure is not Failure.TIMEOUT:
        return _IN_WORDS[trial.failure]
    seconds = trial.timeout_seconds
    limit = "" if seconds is None else f" {write_duration(seconds)}"
    return f"ran into --trial-timeout{limit}"
